// Canonicalization: the form of header fields and body that is hashed (RFC 6376 §3.4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mime/header.h"

namespace hikyaku::dkim {

enum class Canonicalization : std::uint8_t { Simple, Relaxed };
/// "simple", "relaxed".
std::string_view to_string(Canonicalization canonicalization);

/// Appends the canonical form of a field, CRLF included (§3.4.1, §3.4.2).
void append_canonical(std::string& out, const mime::Field& field,
                      Canonicalization canonicalization);

/// Where canonical bytes go.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(std::string_view bytes) = 0;
};

/// A body made canonical piece by piece (§3.4.3, §3.4.4). Lines end with CRLF; a lone CR or LF is
/// an ordinary byte. Empty lines and space that may yet turn out to count are held as numbers, so
/// memory is bounded whatever comes.
class BodyCanonicalizer {
 public:
  explicit BodyCanonicalizer(Canonicalization canonicalization)
      : canonicalization_(canonicalization) {}

  /// Writes what is certain by now of the canonical body to `sink`.
  void update(std::string_view bytes, ByteSink& sink);
  /// Writes the end. Once.
  void finish(ByteSink& sink);

 private:
  void put_held(ByteSink& sink);
  void put(std::string_view run, ByteSink& sink);
  void flush(ByteSink& sink);

  Canonicalization canonicalization_;
  bool carriage_return_ = false;  ///< a CR whose LF may follow
  bool space_ = false;            ///< relaxed: space that counts if something follows in its line
  bool any_ = false;              ///< something was written
  std::uint64_t line_ends_ = 0;   ///< that count if something follows
  std::string buffer_;            ///< short runs, so that the sink is called seldom
};

}  // namespace hikyaku::dkim
