// The commands that move no mail (RFC 5321 §4.1.1.5 to .10), and what is no command.
#include "smtp/replies.h"
#include "smtpd/session.h"

namespace hikyaku::smtpd {

namespace replies = smtp::replies;

Task<smtp::Reply> Session::handle(smtp::Rset) {
  forget_message();
  state_.end_transaction();
  co_return replies::ok();
}

Task<smtp::Reply> Session::handle(smtp::Noop) {
  co_return replies::ok();
}

Task<smtp::Reply> Session::handle(smtp::Quit) {
  co_return replies::bye(state_.settings().host_name);
}

Task<smtp::Reply> Session::handle(smtp::Help) {
  co_return replies::help();
}

Task<smtp::Reply> Session::handle(smtp::Vrfy) {
  co_return replies::cannot_verify();
}

Task<smtp::Reply> Session::handle(smtp::Expn) {
  co_return replies::no_expansion();
}

Task<smtp::Reply> Session::handle(smtp::Obsolete command) {
  co_return replies::obsolete_command(command.verb);
}

Task<smtp::Reply> Session::handle(smtp::Foreign) {
  co_return replies::foreign_protocol();
}

Task<smtp::Reply> Session::handle(smtp::Unknown command) {
  co_return replies::unknown_command(command.verb);
}

}  // namespace hikyaku::smtpd
