#include "smtp/replies.h"

#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku::smtp::replies {
namespace {

template <class... Args>
Reply make(int code, EnhancedStatus status, fmt::format_string<Args...> text, Args&&... args) {
  return Reply{code, status, fmt::format(text, std::forward<Args>(args)...)};
}

template <class... Args>
Reply plain(int code, fmt::format_string<Args...> text, Args&&... args) {
  return Reply{code, std::nullopt, fmt::format(text, std::forward<Args>(args)...)};
}

}  // namespace

Reply greeting(std::string_view host_name) {
  return plain(220, "{} ESMTP Hikyaku", host_name);
}
Reply ok() {
  return make(250, {2, 0, 0}, "OK");
}
Reply sender_ok() {
  return make(250, {2, 1, 0}, "Sender OK");
}
Reply recipient_ok() {
  return make(250, {2, 1, 5}, "Recipient OK");
}
Reply start_data() {
  return plain(354, "Send the message; end it with a line that is a single dot");
}
Reply chunk_ok(std::uint64_t octets) {
  return make(250, {2, 0, 0}, "{} octets received", octets);
}
Reply accepted(std::string_view id) {
  return make(250, {2, 0, 0}, "Accepted as {}", id);
}
Reply ready_for_tls() {
  return make(220, {2, 0, 0}, "Ready to start TLS");
}
Reply logged_in() {
  return make(235, {2, 7, 0}, "Logged in");
}
Reply auth_challenge(std::string_view base64) {
  return plain(334, "{}", base64);
}
Reply bye(std::string_view host_name) {
  return make(221, {2, 0, 0}, "{} says goodbye", host_name);
}
Reply cannot_verify() {
  return make(252, {2, 1, 5}, "Not verified; send a message and delivery will be tried");
}
Reply no_expansion() {
  return make(502, {5, 5, 1}, "Lists are not expanded here");
}
Reply help() {
  return make(214, {2, 0, 0},
              "EHLO host.name; MAIL FROM:<address>; RCPT TO:<address>; DATA; RSET; QUIT\n"
              "Also: HELO, BDAT, STARTTLS, AUTH, VRFY, NOOP, HELP (see RFC 5321)");
}

Reply shutting_down(std::string_view host_name) {
  return make(421, {4, 3, 2}, "{} is going down; try again soon", host_name);
}
Reply kicked(std::string_view host_name) {
  return make(421, {4, 3, 2}, "{}: an administrator has ended this connection", host_name);
}
Reply login_revoked(std::string_view host_name) {
  return make(421, {4, 7, 0}, "{}: the account or its password has changed, log in again",
              host_name);
}
Reply timed_out(std::string_view host_name) {
  return make(421, {4, 4, 2}, "{} has waited too long for you", host_name);
}
Reply too_many_errors(std::string_view host_name) {
  return make(421, {4, 7, 0}, "{}: too many errors", host_name);
}
Reply too_much_junk(std::string_view host_name) {
  return make(421, {4, 7, 0}, "{}: too many commands without a message", host_name);
}
Reply too_many_connections(std::string_view host_name) {
  return make(421, {4, 7, 0}, "{}: too many connections from your address; try again later",
              host_name);
}
Reply busy(std::string_view host_name) {
  return make(421, {4, 3, 1}, "{}: too much is going on here; try again later", host_name);
}
Reply too_much_memory(std::string_view host_name) {
  return make(421, {4, 3, 1}, "{}: this connection takes more memory than one may", host_name);
}
Reply foreign_protocol() {
  return make(421, {4, 7, 0}, "This is an SMTP server, and you speak something else");
}
Reply endless_line() {
  return make(421, {4, 7, 0}, "The line never ends");
}
Reply internal_error() {
  return make(451, {4, 3, 0}, "Something went wrong here; try again later");
}

Reply bare_cr_or_lf_in_command() {
  return make(500, {5, 5, 2}, "Lines must end in CR LF; a CR or LF stands alone");
}
Reply nul_in_command() {
  return make(500, {5, 5, 2}, "The line has a NUL in it");
}
Reply line_too_long() {
  return make(500, {5, 5, 2}, "The line is too long");
}
Reply auth_line_too_long() {
  return make(500, {5, 5, 6}, "The authentication response is too long");
}
Reply unknown_command(std::string_view verb) {
  return make(500, {5, 5, 2}, "Unknown command {}; try HELP", printable(verb, 40));
}
Reply obsolete_command(std::string_view verb) {
  return make(502, {5, 5, 1}, "{} is obsolete and not done here", verb);
}
Reply not_implemented(std::string_view verb) {
  return make(502, {5, 5, 1}, "{} is not offered here", verb);
}
Reply takes_no_argument(std::string_view verb) {
  return make(501, {5, 5, 4}, "Syntax: {} (nothing behind it)", verb);
}
Reply helo_without_brackets(std::string_view verb) {
  return make(501, {5, 5, 4}, "Use {} host.name, without angle brackets", verb);
}
Reply helo_syntax(std::string_view verb) {
  return make(501, {5, 5, 4}, "Syntax: {} host.name", verb);
}
Reply mail_syntax() {
  return make(501, {5, 5, 4}, "Syntax: MAIL FROM:<address>");
}
Reply mail_needs_brackets() {
  return make(501, {5, 5, 4},
              "The address must stand in angle brackets. Syntax: MAIL FROM:<address>");
}
Reply rcpt_syntax() {
  return make(501, {5, 5, 4}, "Syntax: RCPT TO:<address>");
}
Reply rcpt_needs_brackets() {
  return make(501, {5, 5, 4},
              "The address must stand in angle brackets. Syntax: RCPT TO:<address>");
}
Reply bdat_syntax() {
  return make(501, {5, 5, 4}, "Syntax: BDAT octets [LAST]");
}
Reply auth_syntax() {
  return make(501, {5, 5, 4}, "Syntax: AUTH mechanism [base64 of the initial response]");
}
Reply vrfy_syntax(std::string_view verb) {
  return make(501, {5, 5, 4}, "Syntax: {} name", verb);
}
Reply bad_sender(const Error& why) {
  if (why.code == ErrorCode::Unsupported) return needs_smtputf8(true);
  return make(501, {5, 1, 7}, "Bad sender address: {}", why.text);
}
Reply bad_recipient(const Error& why) {
  if (why.code == ErrorCode::Unsupported) return needs_smtputf8(false);
  return make(501, {5, 1, 3}, "Bad recipient address: {}", why.text);
}
Reply unknown_parameter(std::string_view name, std::string_view command) {
  return make(555, {5, 5, 4}, "Unknown parameter {} of {}", printable(name, 40), command);
}
Reply repeated_parameter(std::string_view name) {
  return make(501, {5, 5, 4}, "The parameter {} stands twice", name);
}
Reply bad_parameter(std::string_view name, std::string_view right_form) {
  return make(501, {5, 5, 4}, "Bad value of {}; write {}", name, right_form);
}
Reply parameter_not_offered(std::string_view what) {
  return make(555, {5, 5, 4}, "{} is not offered here", what);
}

Reply hello_first() {
  return make(503, {5, 5, 1}, "Say EHLO host.name first");
}
Reply nested_mail() {
  return make(503, {5, 5, 1}, "There is a sender already; RSET begins anew");
}
Reply mail_first() {
  return make(503, {5, 5, 1}, "MAIL FROM:<address> must come first");
}
Reply rcpt_first() {
  return make(503, {5, 5, 1}, "RCPT TO:<address> must come first");
}
Reply no_valid_recipients() {
  return make(554, {5, 5, 1}, "No recipient was accepted");
}
Reply no_recipients_now() {
  return make(451, {4, 5, 1}, "No recipient was accepted; try again later");
}
Reply not_between_chunks(std::string_view verb) {
  return make(503, {5, 5, 1}, "{} cannot come between BDAT chunks", verb);
}
Reply bdat_for_binary() {
  return make(503, {5, 5, 1}, "BODY=BINARYMIME needs BDAT, not DATA");
}
Reply transaction_failed() {
  return make(503, {5, 5, 1}, "A chunk of this message was refused; RSET begins anew");
}
Reply not_in_transaction(std::string_view verb) {
  return make(503, {5, 5, 1}, "{} cannot come within a message; RSET ends it", verb);
}
Reply already_tls() {
  return make(503, {5, 5, 1}, "TLS is on already");
}
Reply tls_first() {
  return make(530, {5, 7, 0}, "STARTTLS must come first");
}
Reply tls_and_login_first() {
  return make(530, {5, 7, 0}, "Log in first: STARTTLS, then AUTH");
}
Reply login_first() {
  return make(530, {5, 7, 0}, "Log in first: AUTH");
}
Reply already_logged_in() {
  return make(503, {5, 5, 1}, "You are logged in already");
}
Reply auth_not_offered() {
  return make(502, {5, 5, 1}, "No login on this port; mail clients use port 587 or 465");
}
Reply auth_needs_tls() {
  return make(538, {5, 7, 11}, "This login needs encryption: STARTTLS first");
}
Reply auth_unknown_mechanism(std::string_view offered) {
  return make(504, {5, 5, 4}, "Unknown mechanism; these are offered: {}", offered);
}
Reply auth_cancelled() {
  return make(501, {5, 7, 0}, "Login cancelled");
}
Reply auth_bad_base64() {
  return make(501, {5, 5, 2}, "The response is not base64");
}
Reply auth_failed() {
  return make(535, {5, 7, 8}, "Wrong name or password");
}
Reply auth_throttled() {
  return make(454, {4, 7, 0}, "Too many failed logins from there; try again in some minutes");
}
Reply auth_unavailable() {
  return make(454, {4, 7, 0}, "Logins cannot be checked now; try again later");
}
Reply auth_crowded() {
  return make(454, {4, 7, 0}, "The account has too many sessions; close one, or try again later");
}
Reply needs_smtputf8(bool sender) {
  return make(553, {5, 6, 7},
              "The {} address is not ASCII: say SMTPUTF8 behind MAIL FROM:<address>",
              sender ? "sender" : "recipient");
}

Reply relaying_denied() {
  return make(550, {5, 7, 1}, "No relaying: that address is not ours and you are not logged in");
}
Reply unknown_recipient(std::string_view address) {
  return make(550, {5, 1, 1}, "No such mailbox: <{}>", printable(address, 320));
}
Reply too_many_recipients(std::size_t limit) {
  return make(452, {4, 5, 3}, "More than {} recipients; send the others in another message", limit);
}
Reply too_large(std::uint64_t limit) {
  return make(552, {5, 3, 4}, "The message is too large; up to {} octets are taken", limit);
}
Reply no_space() {
  return make(452, {4, 3, 1}, "No space left here at the moment; try again later");
}
Reply queue_full() {
  return make(452, {4, 3, 1}, "Too much mail for other servers waits here; try again later");
}
Reply too_many_reports() {
  return make(452, {4, 3, 2}, "Too many reports have come today; try again tomorrow");
}
Reply mailboxes_unavailable() {
  return make(451, {4, 3, 0}, "Mail cannot be taken at the moment: try again later");
}
Reply mailbox_full(std::string_view address) {
  return make(452, {4, 2, 2}, "The mailbox <{}> is full; try again later", printable(address, 320));
}
Reply would_be_left_out(std::string_view address) {
  return make(452, {4, 2, 0}, "<{}> cannot have the message now; try again later, for all of them",
              printable(address, 320));
}
Reply content_refused(DataProblem problem, std::uint64_t limit) {
  switch (problem) {
    case DataProblem::Nul:
      return make(550, {5, 6, 0}, "The message has a NUL; encode binary parts in base64");
    case DataProblem::TooLarge:
      return too_large(limit);
    case DataProblem::None:
    case DataProblem::BareCr:
    case DataProblem::BareLf:
      break;
  }
  return make(550, {5, 6, 0},
              "The message has a bare CR or LF; its lines must end in CR LF (RFC 5321 2.3.8)");
}
Reply header_begins_folded() {
  return make(
      550, {5, 6, 0},
      "The header begins with a blank: its first line would become part of the field above");
}
Reply mail_loop() {
  return make(554, {5, 4, 6}, "The message goes round in a loop: too many Received fields");
}
Reply forwarding_loop(std::string_view address) {
  return make(554, {5, 4, 6}, "Mail forwarding loop: the message was here before for <{}>",
              printable(address, 320));
}

}  // namespace hikyaku::smtp::replies
