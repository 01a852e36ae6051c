#include "pop3/replies.h"

#include <charconv>
#include <fmt/core.h>

namespace hikyaku::pop3 {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_text(std::string& out, std::string_view text) {
  auto begin = out.size();
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? ' ' : byte >= 0x80 ? '?' : c;
  }
  // What begins like a response code must not be taken for one; readers skip spaces.
  auto first = out.find_first_not_of(' ', begin);
  if (first != std::string::npos && out[first] == '[') out[first] = '(';
}

}  // namespace

Reply ok(std::string text) {
  return {true, {}, std::move(text)};
}
Reply err(std::string text, std::string_view code) {
  return {false, code, std::move(text)};
}

void append_reply(std::string& out, const Reply& reply) {
  out += reply.ok ? "+OK" : "-ERR";
  if (!reply.code.empty()) {
    out += " [";
    out += reply.code;
    out += ']';
  }
  if (!reply.text.empty()) {
    out += ' ';
    append_text(out, reply.text);
  }
  out += "\r\n";
}

void append_challenge(std::string& out, std::string_view base64) {
  out += "+ ";
  out += base64;
  out += "\r\n";
}

Reply reply_for(const Error& error) {
  // What is damaged stays so until somebody mends it (RFC 3206 §4). What is broken where says
  // nothing to a user; it is for the log.
  if (error.code == ErrorCode::Corrupt)
    return err("this message is damaged on the server; the administrator has been told",
               kCodeSysPerm);
  return err(error.text, error.temporary() ? kCodeSysTemp : std::string_view());
}

Reply mailbox_in_use() {
  return err("another session has this mailbox", kCodeInUse);
}

Reply wrong_credentials() {
  return err("wrong name or password", kCodeAuth);
}

Reply no_such_message(std::uint32_t number) {
  return err(fmt::format("there is no message {}", number));
}

Reply greeting(std::string_view host, std::string_view apop_timestamp) {
  if (apop_timestamp.empty()) return ok(fmt::format("{} ready", host));
  return ok(fmt::format("{} ready {}", host, apop_timestamp));
}

std::string stat_text(std::uint64_t count, std::uint64_t octets) {
  return fmt::format("{} {}", count, octets);
}

void append_list_line(std::string& out, std::uint32_t number, std::uint64_t octets) {
  append_number(out, number);
  out += ' ';
  append_number(out, octets);
  out += "\r\n";
}

void append_uidl_line(std::string& out, std::uint32_t number, std::string_view id) {
  append_number(out, number);
  out += ' ';
  out += id;
  out += "\r\n";
}

void append_end(std::string& out) {
  out += ".\r\n";
}

void DotStuffer::put(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  if (at_line_start_ && bytes.front() == '.') out += '.';
  at_line_start_ = false;
  out += bytes;
}

void DotStuffer::end_line(std::string& out) {
  out += "\r\n";
  bool empty = at_line_start_;
  at_line_start_ = true;
  if (in_header_) {
    in_header_ = !empty;
    done_ = !in_header_ && lines_left_ == 0;
  } else if (lines_left_ != kAllLines) {
    done_ = --lines_left_ == 0;
  }
}

std::size_t DotStuffer::plain_lines(std::string_view piece) const {
  std::size_t end = 0;
  while (end < piece.size() && piece[end] != '.') {
    auto newline = piece.find('\n', end);
    if (newline == std::string_view::npos || newline == end) return end;
    // The only CR of the line must be the one before its LF.
    if (piece.substr(end, newline - end).find('\r') != newline - end - 1) return end;
    end = newline + 1;
  }
  return end;
}

void DotStuffer::add(std::string_view piece, std::string& out) {
  while (!done_ && !piece.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (piece.front() == '\n') {
        piece.remove_prefix(1);
        continue;
      }
    }
    // In the body, lines are not counted unless for TOP: what is in order is copied as a whole.
    if (at_line_start_ && !in_header_ && lines_left_ == kAllLines) {
      auto plain = plain_lines(piece);
      out += piece.substr(0, plain);
      piece.remove_prefix(plain);
      if (piece.empty()) return;
    }
    auto line_end = piece.find_first_of("\r\n");
    put(piece.substr(0, line_end), out);
    if (line_end == std::string_view::npos) return;
    after_cr_ = piece[line_end] == '\r';
    piece.remove_prefix(line_end + 1);
    end_line(out);
  }
}

void DotStuffer::finish(std::string& out) {
  if (!at_line_start_) out += "\r\n";
  at_line_start_ = true;
  done_ = true;
  append_end(out);
}

}  // namespace hikyaku::pop3
