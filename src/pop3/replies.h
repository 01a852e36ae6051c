// POP3 replies: status lines with response codes (RFC 2449 §8, RFC 3206), the capability list, and
// multi-line bodies with dot-stuffing (RFC 1939 §3).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hikyaku::pop3 {

struct Reply {
  bool ok = true;
  std::string_view code;  ///< one of the kCode… texts below, or empty
  std::string text;       ///< for people
  friend bool operator==(const Reply&, const Reply&) = default;
};

// Response codes (RFC 2449 §8.1, RFC 3206).
inline constexpr std::string_view kCodeInUse = "IN-USE";
inline constexpr std::string_view kCodeSysTemp = "SYS/TEMP";
inline constexpr std::string_view kCodeSysPerm = "SYS/PERM";
inline constexpr std::string_view kCodeAuth = "AUTH";

Reply ok(std::string text);
Reply err(std::string text, std::string_view code = {});

/// "+OK text" or "-ERR [CODE] text" and CRLF. Control characters become spaces, bytes above 127
/// "?"; a text that begins with "[" is kept from looking like a code.
void append_reply(std::string& out, const Reply& reply);
/// "+ text" CRLF: a challenge of AUTH, in base64 (RFC 5034 §4).
void append_challenge(std::string& out, std::string_view base64);

/// The reply to what failed with `error`: -ERR, with [SYS/TEMP] when it may work later.
Reply reply_for(const Error& error);

/// Some named replies.
Reply mailbox_in_use();
Reply wrong_credentials();
Reply no_such_message(std::uint32_t number);

/// The greeting, with the timestamp that APOP signs if it is not empty ("<1896.697170952@host>").
Reply greeting(std::string_view host, std::string_view apop_timestamp);

/// "2 320" of STAT, and lines of LIST and UIDL.
std::string stat_text(std::uint64_t count, std::uint64_t octets);
void append_list_line(std::string& out, std::uint32_t number, std::uint64_t octets);
/// `id`: 1 to 70 characters %x21-7E (RFC 1939 §7).
void append_uidl_line(std::string& out, std::uint32_t number, std::string_view id);
/// The line with the dot.
void append_end(std::string& out);

/// What a message's bytes look like in a multi-line response: a dot in front of lines that begin
/// with one, a bare LF or CR made CRLF, a last line without its end ended. The pieces may be cut
/// anywhere. Optionally stops after the header and `lines` lines of the body (TOP).
class DotStuffer {
 public:
  static constexpr std::uint64_t kAllLines = UINT64_MAX;

  explicit DotStuffer(std::uint64_t body_lines = kAllLines) : lines_left_(body_lines) {}

  /// Appends the next piece. Once done() nothing more is taken.
  void add(std::string_view piece, std::string& out);
  /// Ends the last line and writes the terminating dot.
  void finish(std::string& out);
  /// TOP has all its lines: no need to read on.
  bool done() const { return done_; }

 private:
  void end_line(std::string& out);
  void put(std::string_view bytes, std::string& out);
  /// How much of `piece`, which begins a line, is whole lines that need no change.
  std::size_t plain_lines(std::string_view piece) const;

  std::uint64_t lines_left_;
  bool in_header_ = true;
  bool at_line_start_ = true;
  bool after_cr_ = false;
  bool done_ = false;
};

}  // namespace hikyaku::pop3
