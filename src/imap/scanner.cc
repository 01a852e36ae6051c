#include "imap/scanner.h"

#include "base/text.h"
#include "imap/characters.h"

namespace hikyaku::imap {
namespace {

constexpr std::uint64_t kMaxNumber64 = INT64_MAX;

}  // namespace

bool Scanner::take(char c) {
  if (!next_is(c)) return false;
  ++at_;
  return true;
}

bool Scanner::take_word(std::string_view word) {
  auto left = rest();
  if (!istarts_with(left, word)) return false;
  if (left.size() > word.size() && is_atom_char(left[word.size()])) return false;
  at_ += word.size();
  return true;
}

Result<> Scanner::expect(char c) {
  if (take(c)) return {};
  return wrong(c == ' ' ? "a space" : fmt::format("\"{}\"", c));
}

Result<> Scanner::expect_end() const {
  if (at_end()) return {};
  return wrong("the end of the command");
}

Result<std::string_view> Scanner::expect_atom(std::string_view what) {
  auto atom = take_while(is_atom_char);
  if (!atom) return wrong(what);
  return *atom;
}

Result<std::string_view> Scanner::expect_flag() {
  auto start = at_;
  take('\\');
  if (!take_while(is_atom_char)) return wrong("a flag");
  return text_.substr(start, at_ - start);
}

Result<std::string> Scanner::expect_quoted() {
  auto start = at_;
  ++at_;
  std::string value;
  while (at_ < text_.size()) {
    char c = text_[at_++];
    if (c == '"') return value;
    if (c == '\\') {
      if (at_ == text_.size()) break;
      c = text_[at_++];
      if (c != '"' && c != '\\')
        return fail(ErrorCode::Invalid,
                    "only \" and \\ may follow a \\ in a quoted string (byte {})", at_);
    } else if (c == '\r' || c == '\n' || c == '\0') {
      break;
    }
    value += c;
  }
  return fail(ErrorCode::Invalid, "the quoted string at byte {} has no end", start + 1);
}

Result<std::string> Scanner::expect_literal() {
  bool binary = take('~');
  auto line_end = text_.find('\n', at_);
  if (line_end == std::string_view::npos) return wrong("a literal");
  auto line = text_.substr(at_, line_end - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto header = literal_at_end(line);
  if (!header || header->begin != 0 || header->too_large ||
      header->size > text_.size() - line_end - 1)
    return wrong("a literal");
  at_ = line_end + 1;
  auto value = text_.substr(at_, header->size);
  at_ += header->size;
  if (!binary && value.find('\0') != std::string_view::npos)
    return fail(ErrorCode::Invalid, "a literal must not hold NUL");
  return std::string(value);
}

Result<std::string> Scanner::expect_string(std::string_view what) {
  if (next_is('"')) return expect_quoted();
  if (next_is('{') || rest().starts_with("~{")) return expect_literal();
  return wrong(what);
}

Result<std::optional<std::string>> Scanner::expect_nstring(std::string_view what) {
  if (take_word("NIL")) return std::nullopt;
  TRY(auto value, expect_string(what));
  return value;
}

Result<std::string> Scanner::expect_astring(std::string_view what) {
  if (next_is('"') || next_is('{') || rest().starts_with("~{")) return expect_string(what);
  auto atom = take_while(is_astring_char);
  if (!atom) return wrong(what);
  return std::string(*atom);
}

Result<std::string> Scanner::expect_list_mailbox() {
  if (next_is('"') || next_is('{') || rest().starts_with("~{"))
    return expect_string("a mailbox pattern");
  auto atom = take_while(is_list_char);
  if (!atom) return wrong("a mailbox pattern");
  return std::string(*atom);
}

Result<std::string> Scanner::expect_mailbox() {
  TRY(auto wire, expect_astring("a mailbox name"));
  auto name = decode_name(wire, form_);
  if (!name) return fail(ErrorCode::Unsupported, "{}", name.error().text);
  return name;
}

Result<std::uint64_t> Scanner::expect_number64(std::string_view what) {
  auto start = at_;
  auto digits = take_while(is_ascii_digit);
  if (digits) {
    if (auto number = parse_decimal(*digits, kMaxNumber64)) return *number;
  }
  at_ = start;
  return wrong(what);
}

Result<std::uint32_t> Scanner::expect_number(std::string_view what) {
  auto start = at_;
  auto number = expect_number64(what);
  if (number && *number <= UINT32_MAX) return static_cast<std::uint32_t>(*number);
  at_ = start;
  return wrong(what);
}

Result<std::uint32_t> Scanner::expect_nz_number(std::string_view what) {
  auto start = at_;
  auto number = expect_number(what);
  if (number && *number != 0) return number;
  at_ = start;
  return wrong(what);
}

Result<SequenceSet> Scanner::expect_sequence_set() {
  auto set = take_while(is_sequence_char);
  if (!set) return wrong("a sequence set");
  return SequenceSet::parse(*set);
}

std::unexpected<Error> Scanner::wrong(std::string_view what) const {
  if (at_end()) return fail(ErrorCode::Invalid, "expected {} at the end of the command", what);
  return fail(ErrorCode::Invalid, "expected {} at byte {}, found \"{}\"", what, at_ + 1,
              printable(rest(), 20));
}

std::optional<LiteralHeader> literal_at_end(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  LiteralHeader header;
  auto end = line.size() - 1;
  if (end > 0 && line[end - 1] == '+') {
    header.synchronizing = false;
    --end;
  }
  auto begin = end;
  while (begin > 0 && is_ascii_digit(line[begin - 1])) --begin;
  if (begin == end || begin == 0 || line[begin - 1] != '{') return std::nullopt;
  if (auto size = parse_decimal(line.substr(begin, end - begin), kMaxNumber64))
    header.size = *size;
  else
    header.too_large = true;
  header.begin = begin - 1;
  if (header.begin > 0 && line[header.begin - 1] == '~') {
    header.binary = true;
    --header.begin;
  }
  return header;
}

}  // namespace hikyaku::imap
