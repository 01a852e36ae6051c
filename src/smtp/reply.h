// Replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034, 3463): their written form and the
// parser for those of other servers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::smtp {

/// class.subject.detail (RFC 3463 §2), such as 5.1.1.
struct EnhancedStatus {
  std::uint16_t klass = 0;  ///< 2 success, 4 temporary, 5 permanent
  std::uint16_t subject = 0;
  std::uint16_t detail = 0;

  std::string to_string() const;
  /// The whole text; nullopt if it is not of this form (each number at most three digits).
  static std::optional<EnhancedStatus> parse(std::string_view text);
  auto operator<=>(const EnhancedStatus&) const = default;
};

/// What a server answers.
struct Reply {
  int code = 0;                          ///< 200 to 599
  std::optional<EnhancedStatus> status;  ///< never with greetings, HELO, EHLO and 3yz
  std::string text;                      ///< lines separated by \n

  std::vector<std::string_view> lines() const;

  bool positive() const { return code >= 200 && code < 300; }
  bool intermediate() const { return code >= 300 && code < 400; }
  bool temporary() const { return code >= 400 && code < 500; }
  bool permanent() const { return code >= 500; }
  /// The server closes the connection after it: 221 and 421.
  bool closes() const { return code == 221 || code == 421; }

  /// On one line, for logs, the story and bounces: "550 5.1.1 No such user".
  std::string to_string() const;
  bool operator==(const Reply&) const = default;
};

/// The bytes on the wire: every line with code and status, ended by CRLF, at most 512 octets
/// (RFC 5321 §4.5.3.1.5; longer lines are broken). Control characters become "?"; so does 8-bit
/// text unless `utf8` (RFC 6531 §3.5: only when the client used SMTPUTF8).
std::string format(const Reply& reply, bool utf8 = false);

/// Reads replies of a server, however the bytes are cut. Lines may end in LF alone: nothing depends
/// on it here.
class ReplyParser {
 public:
  struct Limits {
    std::size_t line = 4096;    ///< octets of a line (the standard says 512; some say more)
    std::size_t lines = 256;    ///< lines of one reply
    std::size_t total = 65536;  ///< octets of one reply
  };
  ReplyParser() : ReplyParser(Limits{}) {}
  explicit ReplyParser(Limits limits) : limits_(limits) {}

  /// Takes bytes up to the end of one reply; returns how many. All are taken while it is neither
  /// ready nor failed.
  std::size_t feed(std::string_view bytes);

  /// A whole reply is there: take() it.
  bool ready() const { return ready_; }
  /// What came is no SMTP reply, or exceeds a limit. The connection is of no more use.
  const std::optional<Error>& error() const { return error_; }
  /// The reply; the parser is then ready for the next one. Lines that begin with an enhanced status
  /// of the code's class lose it to `status`.
  Reply take();
  /// Bytes of an unfinished reply were taken.
  bool in_reply() const { return total_ != 0 && !ready_; }

 private:
  void end_of_line();
  void set_error(std::string text);

  Limits limits_;
  std::string line_;
  Reply reply_;
  std::size_t lines_ = 0;
  std::size_t total_ = 0;
  bool ready_ = false;
  std::optional<Error> error_;
};

}  // namespace hikyaku::smtp
