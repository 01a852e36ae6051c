// Reading the productions of the formal syntax (RFC 9051 §9) from one whole command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "imap/mailbox_name.h"
#include "imap/sequence_set.h"

namespace hikyaku::imap {

/// A cursor over a command's text, in which literals stand as they came: "{3}\r\nabc". `take_x`
/// reads x if it is there; `expect_x` fails with what was expected and where. The text must outlive
/// it.
class Scanner {
 public:
  explicit Scanner(std::string_view text, NameForm form = NameForm::Utf7)
      : text_(text), form_(form) {}

  bool at_end() const { return at_ == text_.size(); }
  std::size_t position() const { return at_; }
  std::string_view rest() const { return text_.substr(at_); }
  NameForm form() const { return form_; }

  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c);
  /// Moves on; `count` is at most what is left.
  void skip(std::size_t count) { at_ += count; }
  /// A keyword in any case that is not the beginning of a longer atom.
  bool take_word(std::string_view word);

  Result<> expect(char c);
  Result<> expect_space() { return expect(' '); }
  /// Nothing may follow.
  Result<> expect_end() const;

  /// Characters for which `is_member` holds, at least one. Points into the text.
  template <class IsMember>
  std::optional<std::string_view> take_while(IsMember is_member) {
    auto start = at_;
    while (at_ < text_.size() && is_member(text_[at_])) ++at_;
    if (at_ == start) return std::nullopt;
    return text_.substr(start, at_ - start);
  }
  /// An atom; `what` names it in the error.
  Result<std::string_view> expect_atom(std::string_view what);
  /// A flag: "\" atom or atom. Points into the text.
  Result<std::string_view> expect_flag();

  /// quoted, literal or literal8.
  Result<std::string> expect_string(std::string_view what);
  Result<std::optional<std::string>> expect_nstring(std::string_view what);
  Result<std::string> expect_astring(std::string_view what);
  /// list-mailbox: an astring whose atom form may hold % and *.
  Result<std::string> expect_list_mailbox();
  /// mailbox, decoded. Unsupported when the bytes are no name.
  Result<std::string> expect_mailbox();

  Result<std::uint64_t> expect_number64(std::string_view what);
  Result<std::uint32_t> expect_number(std::string_view what);
  Result<std::uint32_t> expect_nz_number(std::string_view what);
  Result<SequenceSet> expect_sequence_set();

  /// "expected WHAT at byte N, found …".
  std::unexpected<Error> wrong(std::string_view what) const;

 private:
  Result<std::string> expect_quoted();
  Result<std::string> expect_literal();

  std::string_view text_;
  NameForm form_;
  std::size_t at_ = 0;
};

/// The announcement of a literal at the end of a line, before its CRLF: "{n}", "{n+}", "~{n}",
/// "~{n+}" (RFC 9051 §4.3, RFC 7888, RFC 3516).
struct LiteralHeader {
  std::uint64_t size = 0;
  bool synchronizing = true;
  bool binary = false;
  std::size_t begin = 0;   ///< where it begins in the line
  bool too_large = false;  ///< `size` exceeds 2^63-1
};
std::optional<LiteralHeader> literal_at_end(std::string_view line);

}  // namespace hikyaku::imap
