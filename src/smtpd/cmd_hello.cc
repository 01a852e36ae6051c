// HELO and EHLO (RFC 5321 §4.1.1.1).
#include "smtpd/session.h"

namespace hikyaku::smtpd {

Task<smtp::Reply> Session::handle(smtp::Helo command) {
  state_.said_hello(command.name, false);
  forget_message();
  meet_client();
  co_return smtp::hello_reply(state_, command);
}

Task<smtp::Reply> Session::handle(smtp::Ehlo command) {
  state_.said_hello(command.name, true);
  forget_message();
  meet_client();
  co_return smtp::hello_reply(state_, command);
}

}  // namespace hikyaku::smtpd
