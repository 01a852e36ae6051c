// Cuts what a client sends into command lines.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "smtp/reply.h"

namespace hikyaku::smtp {

/// Lines end in CRLF and nothing else. A bare CR, a bare LF or a NUL in a line makes it an error
/// (who sends them may be smuggling), as does its length; the parser then goes on behind the next
/// LF, so that one bad line costs one reply. What follows a bare LF up to the next CRLF belongs to
/// the same bad line and is no command either, whatever it looks like: with one reply for each LF,
/// so that whoever types without CRs is told each time.
class LineParser {
 public:
  struct Limits {
    /// Octets without CRLF. RFC 5321 §4.5.3.1.4 says 512 with CRLF; the extensions add SIZE 26,
    /// BODY 17, SMTPUTF8 10, AUTH 500, DSN 2 x 500 and more, and UTF-8 paths are longer.
    std::size_t command = 2048;
    std::size_t auth = 12288;  ///< AUTH and its responses, RFC 4954 §4
    /// So many octets of one overlong line are skipped; then the connection is to end.
    std::size_t skipped = 1 << 20;
  };
  LineParser() : LineParser(Limits{}) {}
  explicit LineParser(Limits limits) : limits_(limits) {}

  /// Takes bytes up to the end of one line; returns how many. All are taken while it is not ready.
  std::size_t feed(std::string_view bytes);
  bool ready() const { return ready_; }
  /// The line without CRLF, or the reply that its sender deserves (500; 421 when it never ended).
  std::expected<std::string, Reply> take();

  /// From now on the lines are responses to an AUTH challenge (true) or commands (false).
  void expect_auth_response(bool on) { in_auth_ = on; }
  /// What it holds of a line that has begun.
  std::size_t memory() const { return line_.capacity(); }
  /// Forgets a begun line: with STARTTLS.
  void reset();

 private:
  enum class Problem { None, BareCr, BareLf, Nul, TooLong, Endless };
  void add(std::string_view piece);
  void end_of_line();
  void begin_line();
  std::size_t limit() const;

  Limits limits_;
  std::string line_;
  std::size_t skipped_ = 0;
  Problem problem_ = Problem::None;
  char last_ = 0;                 ///< octet before what comes next, within this line
  bool within_bad_line_ = false;  ///< the last LF was bare
  bool in_auth_ = false;
  bool ready_ = false;
};

}  // namespace hikyaku::smtp
