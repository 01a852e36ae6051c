#include <algorithm>
#include <utility>

#include "base/text.h"
#include "dmarc/decoded_from_internal.h"
#include "dmarc/from_scanner_internal.h"
#include "dns/name.h"
#include "mime/address.h"
#include "mime/encoded_word.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kShown = 200;
constexpr std::size_t kMostSigns = 100;      // "@" that are looked at in quotes that a line ends
constexpr std::size_t kBehindQuotes = 1000;  // bytes that may go on with a domain begun in them

bool is_fold(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_control(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte < 32 || byte == 127;
}

/// Characters by which an address, a list or a quotation begins or ends: in a place where they mean
/// nothing, some program gives them a meaning.
bool has_address_marks(std::string_view text) {
  return text.find_first_of("<>@,;:\"\\()") != text.npos;
}

bool is_domain_character(char c) {
  return is_ascii_alnum(c) || c == '-' || c == '.' || c == '_' || (c & 0x80) != 0;
}

/// "… @example.org": whoever looks behind the last "@" finds a domain.
bool ends_in_domain(std::string_view text) {
  auto at = text.rfind('@');
  if (at == text.npos) return false;
  while (!text.empty() &&
         (is_fold(text.back()) || std::string_view(",;:.!?").contains(text.back())))
    text.remove_suffix(1);
  auto domain = trim(text.substr(std::min(at + 1, text.size())));
  return std::ranges::all_of(domain, is_domain_character) && has_remote_domain(text, at);
}

/// "somebody@example.org" and nothing else.
std::string_view domain_of_address(std::string_view text) {
  text = trim(text);
  auto at = text.find('@');
  if (at == text.npos || at == 0 || text.find('@', at + 1) != text.npos) return {};
  auto domain = text.substr(at + 1);
  if (domain.find('.') == domain.npos || text.find_first_of(" \t") != text.npos) return {};
  return std::ranges::all_of(domain, is_domain_character) ? domain : std::string_view();
}

}  // namespace

bool FromScanner::fail(AuthorProblem problem) {
  author_.findings.push_back({problem, printable(trim(whole_), kShown)});
  return false;
}

void FromScanner::run() {
  if (!characters()) return;
  if (trim(left_).empty()) {
    fail(AuthorProblem::Empty);
    return;
  }
  while (mailbox()) {
    if (left_.empty()) {
      check_direction();  // a comment behind the address is shown as its name
      return;
    }
    left_.remove_prefix(1);  // the comma
    if (author_.addresses.size() >= limits_.addresses ||
        author_.domains.size() >= limits_.domains) {
      fail(AuthorProblem::TooMany);
      return;
    }
  }
}

/// No control characters but folds.
bool FromScanner::characters() {
  for (std::size_t i = 0; i < whole_.size(); ++i) {
    char c = whole_[i];
    if (!is_control(c) || c == '\t') continue;
    auto rest = whole_.substr(i);
    bool crlf = rest.starts_with("\r\n");
    auto after = rest.substr(crlf ? 2 : 1);
    bool fold = (crlf || c == '\n') && (after.empty() || is_ascii_space(after.front()));
    if (!fold) return fail(AuthorProblem::Control);
    if (crlf) ++i;
  }
  return true;
}

/// White space and comments. Comments that are plain text are read alike by everybody, outside of
/// an address.
bool FromScanner::skip(bool in_address) {
  while (!left_.empty()) {
    if (is_fold(left_.front())) {
      if (in_address) return fail(AuthorProblem::Syntax);
      left_.remove_prefix(1);
    } else if (left_.front() == '(') {
      if (!comment(in_address)) return false;
    } else {
      break;
    }
  }
  return true;
}

bool FromScanner::comment(bool in_address) {
  auto end = left_.find(')');
  if (in_address || end == left_.npos ||
      left_.substr(1, end - 1).find_first_of("<>@\"\\(") != left_.npos)
    return fail(AuthorProblem::Comment);
  left_.remove_prefix(end + 1);
  return true;
}

bool FromScanner::mailbox() {
  Words words;
  if (!skip(false) || !this->words(words)) return false;
  if (next_is('<')) return angle_address(words) && end_of_mailbox();
  if (next_is('@')) return bare_address(words) && end_of_mailbox();
  if (next_is(':')) return fail(AuthorProblem::Group);
  if (left_.empty() && words.count == 0) return fail(AuthorProblem::Syntax);
  return fail(left_.empty() || next_is(',') ? AuthorProblem::Empty : AuthorProblem::Syntax);
}

/// A display name, or a local part: what it is turns out behind it.
bool FromScanner::words(Words& words) {
  while (!left_.empty()) {
    char c = left_.front();
    if (is_fold(c) || c == '(') {
      if (!skip(false)) return false;
      words.adjacent = false;
    } else if (c == '"') {
      if (!quoted_string(words)) return false;
    } else if (c == '.' || mime::is_atom_char(c)) {
      if (!atoms(words)) return false;
    } else {
      break;
    }
  }
  return words.encoded.empty() || check_encoded(words.encoded);
}

bool FromScanner::quoted_string(Words& words) {
  std::size_t i = 1;
  bool pairs = false;
  std::string content;
  while (i < left_.size() && left_[i] != '"') {
    if (left_[i] == '\\' && i + 1 < left_.size()) {
      pairs = true;
      ++i;
    }
    content += left_[i++];
  }
  if (i >= left_.size()) return fail(AuthorProblem::Quoting);
  // `"a <b@c>"` is taken for an address by programs that look for angle brackets first, and
  // backslashes are what others stumble over.
  auto first = content.find('<');
  bool angle = first != content.npos || content.find('>') != content.npos;
  if (angle || (pairs && has_address_marks(content) && content.find('@') != content.npos))
    return fail(AuthorProblem::Quoting);
  words.text = left_.substr(0, i + 1);
  if (!check_quotes(words.text, content)) return false;
  if (!words.name.empty()) words.name += ' ';
  words.name += content;
  left_.remove_prefix(i + 1);
  ++words.count;
  words.adjacent = true;
  words.quoted = true;
  if (words.text.find("=?") != words.text.npos) words.encoded += mime::decode_words(content);
  return true;
}

/// Some programs end quotes where the line ends. All that was quoted from there on is not, and the
/// other way round; what was quoted before may be taken for the address. `raw`: the quotes;
/// `content`: what they mean.
bool FromScanner::check_quotes(std::string_view raw, std::string_view content) {
  auto broken = quotes_break_;
  if (shows_address(left_.substr(1), raw.size() - 2)) return fail(AuthorProblem::Quoting);
  if (raw.find("=?") == raw.npos) return true;
  broken = std::exchange(quotes_break_, broken);
  auto decoded = decode_with_controls(content);
  auto quoted = decoded.size();
  decoded += left_.substr(raw.size() - 1, kBehindQuotes);
  if (shows_address(decoded, quoted)) return fail(AuthorProblem::Quoting);
  quotes_break_ = quotes_break_ || broken;
  return true;
}

/// Whether the first `quoted` bytes of `text`, which stand in quotes, or quotes before them, may be
/// read as an address since a line ends in quotes.
bool FromScanner::shows_address(std::string_view text, std::size_t quoted) {
  auto inside = text.substr(0, quoted);
  auto from = quotes_break_ ? 0 : inside.find_first_of("\r\n");
  if (ends_in_domain(inside.substr(0, from))) quotes_have_address_ = true;
  if (from == inside.npos) return quotes_break_ && quotes_have_address_;
  quotes_break_ = true;
  for (auto at = text.find('@', from); at < quoted; at = text.find('@', at + 1))
    if (++signs_ > kMostSigns || has_remote_domain(text, at)) return true;
  return quotes_have_address_;
}

/// Nothing that turns the text may be open where an address begins, or in the end.
bool FromScanner::check_direction() {
  auto until = static_cast<std::size_t>(left_.data() - whole_.data());
  direction_.feed(whole_.substr(directed_, until - directed_));
  directed_ = until;
  return !direction_.turns_what_follows() || fail(AuthorProblem::Direction);
}

bool FromScanner::atoms(Words& words) {
  std::size_t i = 0;
  while (i < left_.size() && (left_[i] == '.' || mime::is_atom_char(left_[i]))) {
    if (left_.substr(i).starts_with("=?")) {
      if (auto length = mime::encoded_word_length(left_.substr(i))) {
        words.encoded += mime::decode_words(left_.substr(i, length));
        i += length;
        continue;
      }
    }
    ++i;
  }
  words.text = left_.substr(0, i);
  if (!words.name.empty()) words.name += ' ';
  words.name += words.text;
  left_.remove_prefix(i);
  ++words.count;
  words.adjacent = true;
  words.quoted = false;
  return true;
}

/// Programs that decode before they parse must find no address in brackets. What else they may find
/// is for the whole field to say (decoded_from_internal.h).
bool FromScanner::check_encoded(const std::string& decoded) {
  if (decoded.find_first_of("<>") != decoded.npos) return fail(AuthorProblem::EncodedAddress);
  return true;
}

bool FromScanner::angle_address(const Words& words) {
  left_.remove_prefix(1);
  if (next_is('@')) return fail(AuthorProblem::Route);
  auto from = left_;
  if (!local_part() || !domain(from)) return false;
  if (!next_is('>')) {
    if (next_is('(')) return fail(AuthorProblem::Comment);
    return fail(AuthorProblem::Syntax);
  }
  left_.remove_prefix(1);
  // "a@b <c@d>" never gets here; a quoted name that is another's address does.
  if (auto other = domain_of_address(words.name); !other.empty())
    if (auto ascii = dns::to_ascii(other);
        !ascii || std::ranges::find(author_.domains, *ascii) == author_.domains.end())
      author_.name_like_address = printable(words.name, kShown);
  return true;
}

/// The words were the local part.
bool FromScanner::bare_address(const Words& words) {
  if (words.count != 1 || !words.adjacent) return fail(AuthorProblem::TextAround);
  auto from = std::string_view(
      words.text.data(), static_cast<std::size_t>(left_.data() + left_.size() - words.text.data()));
  left_ = from;
  return local_part() && domain(from);
}

bool FromScanner::local_part() {
  if (!check_direction()) return false;
  if (next_is('"')) {
    auto end = left_.find('"', 1);
    if (end == left_.npos) return fail(AuthorProblem::Quoting);
    auto local = left_.substr(1, end - 1);
    if (has_address_marks(local) || local.find_first_of("\r\n") != local.npos)
      return fail(AuthorProblem::Quoting);
    if (has_direction_characters(local)) return fail(AuthorProblem::Direction);
    if (local.find("=?") != local.npos) return fail(AuthorProblem::EncodedAddress);
    left_.remove_prefix(end + 1);
  } else {
    std::size_t i = 0;
    while (i < left_.size() && (left_[i] == '.' || mime::is_atom_char(left_[i]))) ++i;
    auto local = left_.substr(0, i);
    if (i == 0) return skip(true) && fail(AuthorProblem::Syntax);
    if (local.find("=?") != local.npos) return fail(AuthorProblem::EncodedAddress);
    if (!is_utf8(local)) return fail(AuthorProblem::Syntax);
    if (has_direction_characters(local)) return fail(AuthorProblem::Direction);
    left_.remove_prefix(i);
  }
  if (!skip(true)) return false;
  if (!next_is('@')) return fail(next_is('"') ? AuthorProblem::Quoting : AuthorProblem::Syntax);
  left_.remove_prefix(1);
  return true;
}

/// `whole_from`: the value from the address's first character on.
bool FromScanner::domain(std::string_view whole_from) {
  if (next_is('[')) return fail(AuthorProblem::Literal);
  if (left_.starts_with("=?")) return fail(AuthorProblem::EncodedAddress);
  std::size_t i = 0;
  while (i < left_.size() && is_domain_character(left_[i])) ++i;
  auto name = left_.substr(0, i);
  left_.remove_prefix(i);
  if (name.empty()) return skip(true) && fail(AuthorProblem::Syntax);
  if (name.ends_with('.')) return fail(AuthorProblem::Domain);
  auto ascii = dns::to_ascii(name);
  if (!ascii) return fail(AuthorProblem::Domain);
  // Where the field is no UTF-8 as a whole, others take it for an old charset, and read another
  // name.
  if (!is_ascii(name) && !is_utf8(whole_)) return fail(AuthorProblem::Domain);
  auto length = static_cast<std::size_t>(left_.data() - whole_from.data());
  author_.addresses.push_back(printable(whole_from.substr(0, length), kShown));
  if (std::ranges::find(author_.domains, *ascii) == author_.domains.end())
    author_.domains.push_back(std::move(*ascii));
  return true;
}

/// Only a plain comment may follow, the old way to write a name: "joe@example.org (Joe)".
bool FromScanner::end_of_mailbox() {
  if (next_is('(')) return fail(AuthorProblem::Comment);
  if (!skip(false)) return false;
  if (left_.empty() || next_is(',')) return true;
  return fail(AuthorProblem::TextAround);
}

}  // namespace hikyaku::dmarc
