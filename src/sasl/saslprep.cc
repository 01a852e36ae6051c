#include "sasl/saslprep.h"

#include <algorithm>
#include <cstdlib>
#include <unicode/usprep.h>
#include <unicode/ustring.h>
#include <vector>

#include "base/text.h"

namespace hikyaku::sasl {
namespace {

const UStringPrepProfile* profile() {
  static const UStringPrepProfile* const opened = [] {
    UErrorCode status = U_ZERO_ERROR;
    auto result = usprep_openByType(USPREP_RFC4013_SASLPREP, &status);
    if (U_FAILURE(status)) std::abort();  // ICU without its data
    return result;
  }();
  return opened;
}

/// A buffer of UTF-16 that wipes itself: the text may be a password.
struct WideText {
  explicit WideText(std::size_t size) : units(size) {}
  WideText(const WideText&) = delete;
  WideText& operator=(const WideText&) = delete;
  ~WideText() {
    crypto::wipe(std::span(reinterpret_cast<char*>(units.data()), units.size() * sizeof(UChar)));
  }
  UChar* data() { return units.data(); }
  std::int32_t capacity() const { return static_cast<std::int32_t>(units.size()); }

  std::vector<UChar> units;
  std::int32_t length = 0;
};

bool is_printable_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

}  // namespace

Result<std::string> saslprep(std::string_view text, Prepared as) {
  if (text.size() > kMaxPrepared)
    return fail(ErrorCode::TooLarge, "more than {} bytes", kMaxPrepared);
  if (text.empty()) return fail(ErrorCode::Invalid, "empty");
  // Nearly every name and password; the profile leaves these as they are.
  if (is_printable_ascii(text)) return std::string(text);
  if (!is_utf8(text)) return fail(ErrorCode::Invalid, "not UTF-8");

  UErrorCode status = U_ZERO_ERROR;
  WideText wide(text.size());
  u_strFromUTF8(wide.data(), wide.capacity(), &wide.length, text.data(),
                static_cast<std::int32_t>(text.size()), &status);
  // Compatibility forms grow to at most 18 characters (U+FDFA).
  WideText prepared(text.size() * 18);
  prepared.length = usprep_prepare(
      profile(), wide.data(), wide.length, prepared.data(), prepared.capacity(),
      as == Prepared::Query ? USPREP_ALLOW_UNASSIGNED : USPREP_DEFAULT, nullptr, &status);
  if (U_FAILURE(status)) return fail(ErrorCode::Invalid, "prohibited characters");
  if (prepared.length == 0) return fail(ErrorCode::Invalid, "empty");
  std::string result(static_cast<std::size_t>(prepared.length) * 3, '\0');
  std::int32_t size = 0;
  u_strToUTF8(result.data(), static_cast<std::int32_t>(result.size()), &size, prepared.data(),
              prepared.length, &status);
  if (U_FAILURE(status)) return fail(ErrorCode::Internal, "ICU wrote ill-formed UTF-16");
  result.resize(static_cast<std::size_t>(size));
  return result;
}

crypto::Secret prepare_password(const crypto::Secret& password) {
  auto prepared = saslprep(password.reveal(), Prepared::Query);
  return prepared ? crypto::Secret::take(*std::move(prepared)) : password.copy();
}

}  // namespace hikyaku::sasl
