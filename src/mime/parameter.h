// Content-Type, Content-Disposition and their parameters (RFC 2045 §5.1, RFC 2183, RFC 2231), as
// strict mail has them and as it is met: missing quotes, encoded words, stray semicolons.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::mime {

/// One parameter. RFC 2231 continuations (name*0, name*1*, …) are joined into one.
struct Parameter {
  std::string name;       ///< small letters, without RFC 2231 marks
  std::string value;      ///< bytes after joining and removing quotes and %XX; in `charset`
  std::string charset;    ///< as RFC 2231 gave it, else empty
  std::string language;   ///< the same
  bool extended = false;  ///< true when RFC 2231 charset syntax was used

  /// In UTF-8: the RFC 2231 charset applied, or encoded words decoded where somebody put them here
  /// against RFC 2047 §5.
  std::string text() const;
};

struct ParameterLimits {
  std::size_t count = 200;        ///< parameters of one field; further ones are ignored
  std::size_t bytes = 16 * 1024;  ///< of one field's value that are looked at
};

/// A value with parameters: "text/plain; charset=x" or "attachment; filename=y".
struct ParameterizedValue {
  std::string value;  ///< what stands before the first semicolon, small letters, no comments
  std::vector<Parameter> parameters;

  const Parameter* find(std::string_view name) const;
  /// The parameter's `value`, empty when there is none.
  std::string_view get(std::string_view name) const;
};

/// Content-Disposition and the like. Never fails.
ParameterizedValue parse_parameterized(std::string_view field_value, ParameterLimits limits = {});

struct ContentType {
  std::string type = "text";      ///< small letters
  std::string subtype = "plain";  ///< small letters
  std::vector<Parameter> parameters;
  /// The field did not hold type "/" subtype; type and subtype are then text/plain (RFC 2045 §5.2).
  bool malformed = false;

  const Parameter* find(std::string_view name) const;
  std::string_view get(std::string_view name) const;
};

/// What stands before the parameters of a Content-Type, for where thousands of them are kept.
struct MediaType {
  std::string type = "text";      ///< small letters
  std::string subtype = "plain";  ///< small letters
  bool malformed = false;         ///< as in ContentType
};
/// Never fails; a broken one gives text/plain and `malformed`.
MediaType parse_media_type(std::string_view field_value, ParameterLimits limits = {});

/// Content-Type. Never fails; a broken one gives text/plain and `malformed`.
ContentType parse_content_type(std::string_view field_value, ParameterLimits limits = {});

/// A file name without directories, control characters, leading dots and trailing dots or spaces,
/// of at most 200 bytes; empty when nothing is left. What a program may show and save under.
std::string safe_file_name(std::string_view utf8_name);

/// Appends `; name=value` for a header that we write: a token or quoted string when the value is
/// ASCII, else RFC 2231 (`name*=utf-8''…`), folded with CRLF SP before every parameter.
void append_parameter(std::string& field, std::string_view name, std::string_view utf8_value);

/// A character that may stand in a token (RFC 2045 §5.1).
bool is_token_char(char c);

}  // namespace hikyaku::mime
