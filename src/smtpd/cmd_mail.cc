// MAIL FROM (RFC 5321 §4.1.1.2): begins a transaction.
#include "smtp/replies.h"
#include "smtpd/session.h"

namespace hikyaku::smtpd {

Task<smtp::Reply> Session::handle(smtp::Mail command) {
  if (auto refusal = co_await services_.receiver.check_sender(peer(), command.from)) {
    log_.info(
        "sender.refuse",
        {{"user", state_.user()}, {"from", command.from.to_string()}, {"status", refusal->code}});
    co_return std::move(*refusal);
  }
  envelope_ = 0;
  state_.begin(std::move(command));
  co_return smtp::replies::sender_ok();
}

}  // namespace hikyaku::smtpd
