#include "mailbox/names.h"

#include <algorithm>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include "base/text.h"

namespace hikyaku::mailbox {

namespace {

bool has_forbidden_characters(std::string_view text) {
  std::int32_t at = 0;
  auto size = static_cast<std::int32_t>(text.size());
  while (at < size) {
    UChar32 c;
    U8_NEXT(text.data(), at, size, c);
    // RFC 5198 §2: no controls; the line and paragraph separators are controls in effect.
    if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 ||
        U_IS_UNICODE_NONCHAR(c))
      return true;
  }
  return false;
}

/// nullopt when ICU refuses.
std::optional<std::string> to_nfc(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const auto* nfc = unorm2_getNFCInstance(&status);
  std::u16string wide(text.size(), u'\0');
  std::int32_t length = 0;
  u_strFromUTF8(wide.data(), static_cast<std::int32_t>(wide.size()), &length, text.data(),
                static_cast<std::int32_t>(text.size()), &status);
  if (U_FAILURE(status)) return std::nullopt;
  wide.resize(static_cast<std::size_t>(length));
  // The longest growth under NFC is threefold.
  std::u16string composed(wide.size() * 3 + 1, u'\0');
  length = unorm2_normalize(nfc, wide.data(), static_cast<std::int32_t>(wide.size()),
                            composed.data(), static_cast<std::int32_t>(composed.size()), &status);
  if (U_FAILURE(status)) return std::nullopt;
  composed.resize(static_cast<std::size_t>(length));
  std::string narrow(composed.size() * 3, '\0');
  u_strToUTF8(narrow.data(), static_cast<std::int32_t>(narrow.size()), &length, composed.data(),
              static_cast<std::int32_t>(composed.size()), &status);
  if (U_FAILURE(status)) return std::nullopt;
  narrow.resize(static_cast<std::size_t>(length));
  return narrow;
}

bool is_escape(std::string_view text, std::size_t at) {
  auto code = text.substr(at, 3);
  return code == "%2F" || code == "%25";
}

std::string unescape_name(std::string_view level) {
  std::string name;
  for (std::size_t i = 0; i < level.size(); ++i) {
    if (is_escape(level, i)) {
      name += level[i + 2] == 'F' ? '/' : '%';
      i += 2;
    } else {
      name += level[i];
    }
  }
  return name;
}

}  // namespace

Result<std::string> normalize_name(std::string_view name) {
  if (name.empty()) return fail(ErrorCode::Invalid, "a mailbox name has an empty level");
  // Before ICU sees it; composition never makes a text more than three times shorter.
  if (name.size() > 3 * kMaxMailboxNameLength)
    return fail(ErrorCode::Invalid, "a mailbox name is longer than {} bytes",
                kMaxMailboxNameLength);
  if (!is_utf8(name)) return fail(ErrorCode::Invalid, "a mailbox name is not UTF-8");
  if (has_forbidden_characters(name))
    return fail(ErrorCode::Invalid, "a mailbox name contains control characters");
  std::optional<std::string> normal(name);
  if (!is_ascii(name)) normal = to_nfc(name);
  if (!normal) return fail(ErrorCode::Invalid, "a mailbox name cannot be normalized");
  if (normal->size() > kMaxMailboxNameLength)
    return fail(ErrorCode::Invalid, "a mailbox name is longer than {} bytes",
                kMaxMailboxNameLength);
  return *normal;
}

Result<std::vector<std::string>> parse_path(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  std::vector<std::string> levels;
  for (auto level : split(path, '/')) {
    if (levels.size() == kMaxMailboxDepth)
      return fail(ErrorCode::Invalid, "a mailbox name has more than {} levels", kMaxMailboxDepth);
    TRY(auto name, normalize_name(unescape_name(level)));
    levels.push_back(std::move(name));
  }
  if (iequals(levels[0], "INBOX")) levels[0] = "INBOX";
  return levels;
}

std::string escape_name(std::string_view name) {
  std::string level;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '/')
      level += "%2F";
    else if (is_escape(name, i))
      level += "%25";
    else
      level += name[i];
  }
  return level;
}

std::string format_path(const std::vector<std::string>& levels) {
  std::string path;
  for (const auto& level : levels) {
    if (!path.empty()) path += '/';
    path += escape_name(level);
  }
  return path;
}

bool path_before(std::string_view a, std::string_view b) {
  auto rank = [](std::string_view path) {
    return path == "INBOX" || path.starts_with("INBOX/") ? 0 : 1;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  // "/" comes before every other character, so that children follow their parent.
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    auto order = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
    return order(x) < order(y);
  });
}

}  // namespace hikyaku::mailbox
