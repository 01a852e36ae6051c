#include "imap/reply.h"

#include "base/text.h"
#include "imap/characters.h"

namespace hikyaku::imap {
namespace {

std::string_view word(Reply::Status status) {
  switch (status) {
    case Reply::Status::Ok:
      return "OK";
    case Reply::Status::No:
      return "NO";
    case Reply::Status::Bad:
      return "BAD";
    case Reply::Status::Bye:
      return "BYE";
    case Reply::Status::PreAuth:
      return "PREAUTH";
  }
  return "BAD";
}

}  // namespace

Reply ok(std::string text, std::string code) {
  return {Reply::Status::Ok, std::move(code), std::move(text)};
}
Reply no(std::string text, std::string code) {
  return {Reply::Status::No, std::move(code), std::move(text)};
}
Reply bad(std::string text, std::string code) {
  return {Reply::Status::Bad, std::move(code), std::move(text)};
}
Reply bye(std::string text, std::string code) {
  return {Reply::Status::Bye, std::move(code), std::move(text)};
}

void append_reply(std::string& out, std::string_view tag, const Reply& reply, Wire wire) {
  out += tag.empty() ? std::string_view("*") : tag;
  out += ' ';
  out += word(reply.status);
  out += ' ';
  if (!reply.code.empty()) {
    out += '[';
    for (char c : reply.code) out += is_ctl(c) || is_8bit(c) ? '?' : c;
    out += "] ";
  }
  auto begin = out.size();
  append_text(out, reply.text, wire);
  // Also behind spaces: readers skip them.
  auto first = out.find_first_not_of(' ', begin);
  if (first != std::string::npos && out[first] == '[') out[first] = '(';
  out += "\r\n";
}

void append_continuation(std::string& out, std::string_view text) {
  out += "+ ";
  append_text(out, text);
  out += "\r\n";
}

Reply reply_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::Invalid:
      return bad(error.text);
    case ErrorCode::NotFound:
      return no(error.text, "NONEXISTENT");
    case ErrorCode::Exists:
      return no(error.text, "ALREADYEXISTS");
    case ErrorCode::Denied:
      return no(error.text, "NOPERM");
    case ErrorCode::Conflict:
      return no(error.text, "INUSE");
    case ErrorCode::TooLarge:
      return no(error.text, "LIMIT");
    case ErrorCode::QuotaExceeded:
      return no(error.text, "OVERQUOTA");
    // The user's quota has nothing to do with it, and it may pass (RFC 5530 §3).
    case ErrorCode::NoSpace:
      return no(std::string(kNoSpace), "UNAVAILABLE");
    case ErrorCode::Unavailable:
    case ErrorCode::Shutdown:
      return no(error.text, "UNAVAILABLE");
    // What is broken where says nothing to a user; it is for the log.
    case ErrorCode::Io:
      return no(std::string(kUnreadable), "CORRUPTION");
    case ErrorCode::Corrupt:
      return no(std::string(kDamaged), "CORRUPTION");
    case ErrorCode::Unsupported:
      return no(error.text, "CANNOT");
    case ErrorCode::Internal:
      return no(error.text, "SERVERBUG");
  }
  return no(error.text, "SERVERBUG");
}

std::string append_uid_code(std::uint32_t uid_validity, const NumberSet& uids) {
  return fmt::format("APPENDUID {} {}", uid_validity, uids.to_string());
}

std::string copy_uid_code(std::uint32_t uid_validity, std::string_view from, std::string_view to) {
  return fmt::format("COPYUID {} {} {}", uid_validity, from, to);
}

std::string modified_code(std::string_view numbers) {
  return fmt::format("MODIFIED {}", numbers);
}

Reply bad_charset(std::string_view charset) {
  return no(fmt::format("the charset {} is not known here", printable(charset, 40)),
            "BADCHARSET (US-ASCII UTF-8)");
}

}  // namespace hikyaku::imap
