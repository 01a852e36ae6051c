#include "mime/text.h"

#include <algorithm>
#include <unicode/unorm2.h>
#include <unicode/utf8.h>

#include "base/text.h"
#include "mime/charset.h"
#include "mime/encoded_word.h"
#include "mime/japanese.h"

namespace hikyaku::mime {
namespace {

/// The charset that an HTML document names for itself: `<meta charset=x>` or in a content
/// attribute.
std::string html_charset(std::string_view html) {
  constexpr std::size_t kLooked = 1024;
  html = html.substr(0, kLooked);
  auto meta = ifind(html, "<meta");
  while (meta != html.npos) {
    html.remove_prefix(meta + 5);
    auto end = html.find('>');
    auto element = html.substr(0, end);
    auto charset = ifind(element, "charset=");
    if (charset != element.npos) {
      auto value = element.substr(charset + 8);
      while (!value.empty() &&
             (value.front() == '"' || value.front() == '\'' || value.front() == ' '))
        value.remove_prefix(1);
      auto length = value.find_first_of("\"' />;");
      return std::string(value.substr(0, length));
    }
    meta = ifind(html, "<meta");
  }
  return "";
}

void append_utf16_as_utf8(const char16_t* from, std::size_t count, std::string& out) {
  for (std::size_t i = 0; i < count; ++i) {
    char32_t c = from[i];
    if (c >= 0xD800 && c <= 0xDBFF && i + 1 < count)
      c = 0x10000 + ((c - 0xD800) << 10) + (from[++i] - 0xDC00u);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xC0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xE0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
      out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
}

/// RFC 5256 §5 subj-leader and friends, taken off the front or the end; true if there was one.
/// subj-blob = "[" *BLOBCHAR "]" *WSP
bool take_blob(std::string_view& text) {
  if (!text.starts_with('[')) return false;
  auto end = text.find_first_of("[]", 1);
  if (end == text.npos || text[end] != ']') return false;
  text = text.substr(end + 1);
  while (!text.empty() && is_ascii_space(text.front())) text.remove_prefix(1);
  return true;
}

/// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
bool take_refwd(std::string_view& text) {
  auto left = text;
  if (istarts_with(left, "re"))
    left.remove_prefix(2);
  else if (istarts_with(left, "fwd"))
    left.remove_prefix(3);
  else if (istarts_with(left, "fw"))
    left.remove_prefix(2);
  else
    return false;
  while (!left.empty() && is_ascii_space(left.front())) left.remove_prefix(1);
  take_blob(left);
  if (!left.starts_with(':')) return false;
  text = left.substr(1);
  return true;
}

/// subj-leader = (*subj-blob subj-refwd) / WSP
bool take_leader(std::string_view& text) {
  if (!text.empty() && is_ascii_space(text.front())) {
    text.remove_prefix(1);
    return true;
  }
  auto left = text;
  while (take_blob(left)) {
  }
  if (!take_refwd(left)) return false;
  text = left;
  return true;
}

/// Step 4 of §2.1: a blob goes if something is left behind it.
bool take_blob_before_text(std::string_view& text) {
  auto left = text;
  if (!take_blob(left) || left.empty()) return false;
  text = left;
  return true;
}

std::string collapse_space(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (is_ascii_space(c)) c = ' ';
    if (c != ' ' || !result.ends_with(' ')) result += c;
  }
  return result;
}

}  // namespace

std::string decoded_body(const Message& message, const Part& part, std::size_t limit) {
  return decode_transfer(message.body(part), part.encoding, limit);
}

std::string body_text(const Message& message, const Part& part, std::size_t limit) {
  auto bytes = decoded_body(message, part, limit);
  auto charset = part.parameter("charset");
  if (charset.empty() && part.media_type.subtype == "html") charset = html_charset(bytes);
  return to_utf8(bytes, charset);
}

std::string file_name(const Part& part) {
  if (!part.disposition.empty()) {
    auto disposition = parse_parameterized(part.disposition);
    if (auto* name = disposition.find("filename")) return name->text();
  }
  for (auto& parameter : part.parameters())
    if (parameter.name == "name") return parameter.text();
  return "";
}

std::string disposition_kind(const Part& part) {
  return part.disposition.empty() ? std::string() : parse_parameterized(part.disposition).value;
}

namespace {

/// Text is folded in pieces of about this size: while it is done it takes ten times as much.
constexpr std::size_t kFoldAtOnce = 64 * 1024;

/// Characters in a row that combine with what stands before them, as of the Stream-Safe Text
/// Format (UAX #15 §13): no language has more, and to put them in order takes the square of their
/// number.
constexpr std::size_t kMostCombining = 30;

/// The place of the character that the byte at `at` is of.
std::size_t begin_of_character(std::string_view utf8, std::size_t at) {
  auto begin = at;
  while (begin > 0 && at - begin < 3 && (static_cast<unsigned char>(utf8[begin]) & 0xC0) == 0x80)
    --begin;
  return begin;
}

/// Moves `at` behind the character there; true if it combines.
bool next_combines(std::string_view utf8, std::size_t& at, const UNormalizer2* folding) {
  UChar32 character;
  U8_NEXT(utf8.data(), at, utf8.size(), character);
  return character >= 0x80 && unorm2_hasBoundaryBefore(folding, character) == 0;
}

/// False when there are surely no more combining characters in a row than there may be: one of them
/// would be at one of these places, for each has two bytes.
bool may_have_too_many(std::string_view utf8, const UNormalizer2* folding) {
  constexpr auto kStep = 2 * kMostCombining;
  for (auto place = kStep; place < utf8.size(); place += kStep) {
    auto at = begin_of_character(utf8, place);
    if (next_combines(utf8, at, folding)) return true;
  }
  return false;
}

/// The length of the piece of the text that is folded next: as far as it folds as it would within
/// the whole, but for more combining characters in a row than there may be.
std::size_t piece_to_fold(std::string_view utf8, const UNormalizer2* folding) {
  auto least = utf8.size() <= kFoldAtOnce ? utf8.size() : begin_of_character(utf8, kFoldAtOnce);
  auto next = may_have_too_many(utf8.substr(0, least), folding) ? 0 : least;
  std::size_t combining = 0;
  while (next < utf8.size()) {
    auto at = next;
    combining = next_combines(utf8, next, folding) ? combining + 1 : 0;
    if (combining > kMostCombining || (combining == 0 && at >= least)) return at;
  }
  return utf8.size();
}

/// Folds a piece of some length, and appends it.
void append_folded_piece(std::string_view utf8, const UNormalizer2* folding, std::string& out) {
  UErrorCode status = U_ZERO_ERROR;
  std::vector<char16_t> from;
  from.reserve(utf8.size());
  append_utf16(is_utf8(utf8) ? std::string(utf8) : to_valid_utf8(utf8), from);
  std::vector<char16_t> folded(from.size() + from.size() / 4 + 16);
  auto run = [&] {
    return unorm2_normalize(folding, from.data(), static_cast<int32_t>(from.size()), folded.data(),
                            static_cast<int32_t>(folded.size()), &status);
  };
  auto length = run();
  if (status == U_BUFFER_OVERFLOW_ERROR) {
    status = U_ZERO_ERROR;
    folded.resize(static_cast<std::size_t>(length));
    length = run();
  }
  if (U_FAILURE(status))
    out += to_lower(utf8);
  else
    append_utf16_as_utf8(folded.data(), static_cast<std::size_t>(length), out);
}

/// Folds the text's next piece, appends it, and takes it off the text.
void fold_next(std::string_view& utf8, std::string& out) {
  auto piece = utf8.substr(0, kFoldAtOnce);
  if (is_ascii(piece)) {
    // What follows may combine with the last character.
    if (piece.size() < utf8.size()) piece.remove_suffix(1);
    auto at = out.size();
    out += piece;
    std::transform(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
                   out.begin() + static_cast<std::ptrdiff_t>(at), ascii_lower);
  } else {
    UErrorCode status = U_ZERO_ERROR;
    auto* folding = unorm2_getNFKCCasefoldInstance(&status);
    piece = utf8.substr(0, piece_to_fold(utf8, folding));
    append_folded_piece(piece, folding, out);
  }
  utf8.remove_prefix(piece.size());
}

}  // namespace

std::string fold(std::string_view utf8) {
  if (is_ascii(utf8)) return to_lower(utf8);
  std::string result;
  result.reserve(utf8.size());
  while (!utf8.empty()) fold_next(utf8, result);
  return result;
}

FoldedTexts::FoldedTexts(std::vector<std::string> folded) : texts_(std::move(folded)) {
  std::ranges::sort(texts_);
  auto doubles = std::ranges::unique(texts_);
  texts_.erase(doubles.begin(), doubles.end());
  for (auto& text : texts_) longest_ = std::max(longest_, text.size());
}

bool FoldedTexts::Found::contains(std::string_view folded) const {
  auto& texts = *texts_;
  auto at = std::ranges::lower_bound(texts.texts_, folded);
  if (at == texts.texts_.end() || *at != folded) return false;
  return found_[static_cast<std::size_t>(at - texts.texts_.begin())];
}

bool FoldedTexts::Found::look_at(std::string_view folded) {
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (found_[i] || !folded.contains(texts_->texts_[i])) continue;
    found_[i] = true;
    --left_;
  }
  return left_ == 0;
}

bool FoldedTexts::Found::look_in(std::string_view text) {
  std::string folded;
  do {
    // What begins in one piece may end in the next.
    auto kept = std::max<std::size_t>(texts_->longest_, 1) - 1;
    folded.erase(0, folded.size() - std::min(folded.size(), kept));
    fold_next(text, folded);
    if (look_at(folded)) return true;
  } while (!text.empty());
  return left_ == 0;
}

bool contains_folded(std::string_view text, std::string_view folded_needle) {
  FoldedTexts needle({std::string(folded_needle)});
  return FoldedTexts::Found(needle).look_in(text);
}

std::string field_text(const Field& field) {
  return decode_words(field.value);
}

void look_in_bodies(const Message& message, FoldedTexts::Found& found, std::size_t limit) {
  for (auto& part : message.parts) {
    if (part.kind != PartKind::Leaf) continue;
    if (part.media_type.type != "text" && part.media_type.type != "message") continue;
    if (limit == 0) return;
    auto text = part.is_text() ? body_text(message, part, limit)
                               : to_utf8(decoded_body(message, part, limit), "");
    limit -= std::min<std::size_t>(limit, part.body.size);
    if (found.look_in(text)) return;
  }
}

std::string base_subject(std::string_view subject_value, bool* is_reply) {
  auto decoded = collapse_space(decode_words(subject_value));
  std::string_view text = decoded;
  bool reply = false;
  while (true) {
    // Steps 2 to 5 of RFC 5256 §2.1.
    while (true) {
      text = trim_space(text);
      if (!iends_with(text, "(fwd)")) break;
      text.remove_suffix(5);
      reply = true;
    }
    while (true) {
      auto before = text;
      if (take_leader(text)) {
        reply = reply || !is_ascii_space(before.front());
        continue;
      }
      // No leader: then none stands behind these blobs either.
      while (take_blob_before_text(text)) {
      }
      break;
    }
    // Step 6: "[fwd: subject]" is unwrapped, and all of it begins again.
    if (!istarts_with(text, "[fwd:") || !text.ends_with(']')) break;
    text = text.substr(5, text.size() - 6);
    reply = true;
  }
  if (is_reply) *is_reply = reply;
  return std::string(text);
}

std::vector<std::string> message_ids(std::string_view value, std::size_t limit) {
  // A long thread: its first message and the newest ones are what decides. `next` is where the
  // oldest of those stands.
  std::vector<std::string> ids;
  std::size_t next = 1;
  while (limit > 0) {
    auto open = value.find('<');
    if (open == value.npos) break;
    value.remove_prefix(open + 1);
    auto close = value.find_first_of("<>");
    if (close == value.npos) break;
    if (value[close] == '<') continue;
    std::string id;
    for (char c : value.substr(0, close))
      if (static_cast<unsigned char>(c) > 32 && c != 127) id += c;
    value.remove_prefix(close + 1);
    if (id.empty() || id.size() > 998) continue;
    if (ids.size() < limit) {
      ids.push_back(std::move(id));
    } else if (limit == 1) {
      ids[0] = std::move(id);
    } else {
      ids[next] = std::move(id);
      next = next + 1 == limit ? 1 : next + 1;
    }
  }
  if (ids.size() > 1) std::ranges::rotate(ids.begin() + 1, ids.begin() + next, ids.end());
  return ids;
}

}  // namespace hikyaku::mime
