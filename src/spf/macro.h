// Macros (RFC 7208 §7): reading macro strings, expanding them, making names to look up of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/time.h"

namespace hikyaku::spf {

/// What macros stand for. The views must outlive the expansion; all but `domain` and `ip` may be
/// any bytes.
struct MacroValues {
  std::string_view local_part;     ///< l; with `sender_domain` s
  std::string_view sender_domain;  ///< o
  std::string_view domain;         ///< d
  std::string_view helo;           ///< h
  std::string_view validated;      ///< p; empty: "unknown"
  std::string_view receiver;       ///< r; empty: "unknown"
  IpAddress ip;                    ///< i, c, v
  Time now;                        ///< t
};

/// Which letters may stand in a macro string: c, r and t only in explanations (§7.2).
enum class MacroLetters { OfTerms, OfExplanations };

/// One piece of a macro string.
struct MacroPiece {
  enum class Kind { Literal, Macro };
  Kind kind = Kind::Literal;
  std::string_view literal;     ///< the text it stands for, when it needs no values
  bool escape = false;          ///< it was written as %%, %_ or %-: ends a domain-spec (§7.1)
  char letter = 0;              ///< lower case
  bool url = false;             ///< an upper-case letter: URL-escape the value
  unsigned keep = 0;            ///< that many right-hand parts; 0: all
  bool reverse = false;         ///< the parts the other way round
  std::string_view delimiters;  ///< empty: "."
};

/// Reads macro strings piece by piece.
class MacroReader {
 public:
  MacroReader(std::string_view text, MacroLetters letters) : text_(text), letters_(letters) {}
  /// The next piece; nullopt at the end and at a mistake.
  std::optional<MacroPiece> next();
  /// What is wrong, in words, once next() has ended; empty when nothing is.
  std::string_view problem() const { return problem_; }
  /// Where next() goes on, or stopped.
  std::size_t offset() const { return offset_; }

 private:
  std::optional<MacroPiece> take_literal();
  std::optional<MacroPiece> take_escape(std::string_view stands_for);
  std::optional<MacroPiece> take_macro();
  std::optional<MacroPiece> wrong(std::string_view why, std::size_t at);

  std::string_view text_;
  MacroLetters letters_;
  std::size_t offset_ = 0;
  std::string_view problem_;
};

/// A mistake in a macro string or domain-spec.
struct MacroProblem {
  std::string_view why;  ///< in words, static
  std::size_t offset = 0;
};
/// macro-string (§7.1), or explain-string with OfExplanations.
std::optional<MacroProblem> check_macro_string(std::string_view text, MacroLetters letters);
/// domain-spec (§7.1): ends with a macro, or with a dot and a top label that is no number.
std::optional<MacroProblem> check_domain_spec(std::string_view text);

/// Whether one of these macros (lower case) is in it.
bool uses_macro(std::string_view text, std::string_view letters);

/// A domain-spec that has been checked, expanded to the name to look up: normal form (dns/name.h),
/// labels taken away on the left until it has 253 bytes (§7.3). nullopt when the result is no name:
/// an empty label, one of more than 63 bytes; and when it contains a local-part that is not ASCII,
/// which matches nothing (RFC 8616 §4).
std::optional<std::string> expand_name(std::string_view domain_spec, const MacroValues& values);

/// A name as people write it, without escapes, in normal form; nullopt as above.
std::optional<std::string> query_name(std::string_view text);

/// An explain-string expanded to printable ASCII of at most `limit` bytes; other bytes that the
/// values bring are '?'. nullopt when it has a mistake (§6.2).
std::optional<std::string> expand_explanation(std::string_view text, const MacroValues& values,
                                              std::size_t limit);

}  // namespace hikyaku::spf
