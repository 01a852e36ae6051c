// A status response: OK, NO, BAD, BYE, PREAUTH with its code (RFC 9051 §7.1, RFC 5530), and the
// ones that have a name.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "imap/quote.h"
#include "imap/sequence_set.h"

namespace hikyaku::imap {

struct Reply {
  enum class Status { Ok, No, Bad, Bye, PreAuth };
  Status status = Status::Ok;
  std::string code;  ///< inside the brackets: "TRYCREATE", "APPENDUID 1 5"; empty: none
  std::string text;  ///< for people

  friend bool operator==(const Reply&, const Reply&) = default;
};

Reply ok(std::string text, std::string code = {});
Reply no(std::string text, std::string code = {});
Reply bad(std::string text, std::string code = {});
Reply bye(std::string text, std::string code = {});

/// "TAG OK [CODE] text" CRLF; an empty tag is written as "*". Neither code nor text can break the
/// line; a text that begins with "[" is kept from looking like a code.
void append_reply(std::string& out, std::string_view tag, const Reply& reply,
                  Wire wire = Wire::Ascii);
/// "+ text" CRLF.
void append_continuation(std::string& out, std::string_view text = "OK");

/// In a user's words, for what is damaged and what the disk does not give: whoever says it has
/// told the administrator.
inline constexpr std::string_view kDamaged =
    "A message is damaged on the server; the administrator has been told";
/// Of a disk that is as good as full, to whom it is not his quota.
inline constexpr std::string_view kNoSpace =
    "The server has too little disk space at the moment: try again later";
inline constexpr std::string_view kUnreadable =
    "The server cannot read or write what this needs; the administrator has been told";

/// The reply to a command that failed with `error`, by its code: BAD for Invalid; NO [NONEXISTENT],
/// [ALREADYEXISTS], [NOPERM], [INUSE], [LIMIT], [OVERQUOTA], [UNAVAILABLE], [CORRUPTION],
/// [SERVERBUG], [CANNOT] for the others (RFC 5530 §3).
Reply reply_for(const Error& error);

// Response codes with arguments.
std::string append_uid_code(std::uint32_t uid_validity, const NumberSet& uids);
/// The sets as text: there may be a million ranges in them.
std::string copy_uid_code(std::uint32_t uid_validity, std::string_view from, std::string_view to);
std::string modified_code(std::string_view numbers);
/// BADCHARSET with what can be used instead.
Reply bad_charset(std::string_view charset);

}  // namespace hikyaku::imap
