// USER and PASS (RFC 1939 §7), APOP (§7), AUTH (RFC 5034).
#include "base/base64.h"
#include "base/text.h"
#include "pop3d/session.h"
#include "sasl/exchange.h"

namespace hikyaku::pop3d {

using pop3::err;
using pop3::ok;

Session::Answer Session::handle(pop3::UserCommand command) {
  state_.user = std::move(command.name);
  co_return ok("Now the password: PASS");
}

Session::Answer Session::handle(pop3::PassCommand command) {
  auto user = std::exchange(state_.user, {});
  auto result = co_await services_.authenticator.check_password(login_context(), std::move(user),
                                                                std::move(command.password));
  co_return co_await logged_in(std::move(result));
}

Session::Answer Session::handle(pop3::ApopCommand command) {
  auto result = co_await services_.authenticator.check_apop(
      login_context(), std::move(command.name), timestamp_, std::move(command.digest));
  co_return co_await logged_in(std::move(result));
}

Session::Answer Session::handle(pop3::AuthCommand command) {
  auto& offered = pop3::offered_mechanisms(state_, settings_.capabilities);
  if (command.mechanism.empty()) {
    std::string list;
    pop3::append_reply(list, ok("Mechanisms follow"));
    for (auto& mechanism : offered) list += mechanism + "\r\n";
    pop3::append_end(list);
    output_.append(list);
    co_return kAnswered;
  }
  auto bindings = stream_.channel_bindings();
  auto exchange = services_.authenticator.begin(
      login_context(), command.mechanism, offered,
      {bindings.tls_exporter, bindings.tls_unique, bindings.tls_server_end_point});
  if (!exchange) co_return err("That mechanism is not offered here: " + join(offered, " "));

  std::optional<std::string> response;
  if (command.initial_response) {
    auto decoded = sasl::decode_initial_response(*command.initial_response);
    if (decoded.kind != sasl::Response::Kind::Bytes)
      co_return err("The initial response is not base64");
    response = std::move(decoded.bytes);
  }
  while (true) {
    auto outcome = co_await exchange->step(std::move(response));
    if (auto login = std::get_if<auth::Login>(&outcome))
      co_return co_await logged_in(std::move(*login));
    if (auto failure = std::get_if<auth::LoginFailure>(&outcome))
      co_return co_await logged_in(*failure);
    std::string challenge;
    pop3::append_challenge(challenge,
                           base64_encode(std::get<auth::SaslExchange::Challenge>(outcome).bytes));
    output_.append(challenge);
    lines_.set_limit(pop3::LineReader::kAuthLimit);
    auto line = co_await next_line();
    lines_.set_limit(pop3::LineReader::kDefaultLimit);
    if (!line) co_return err("The line is too long");
    auto decoded = sasl::decode_response(*line);
    if (decoded.kind == sasl::Response::Kind::Cancelled) co_return err("Given up");
    if (decoded.kind == sasl::Response::Kind::Malformed) co_return err("That is not base64");
    response = std::move(decoded.bytes);
  }
}

pop3::Reply Session::refusal(const Error& error) const {
  if (error.code != ErrorCode::TooLarge) return pop3::reply_for(error);
  // A limit of one connection stays; what all together hold becomes less.
  auto& memory = *services_.activity->memory_of_all;
  if (memory.crowded())
    return err("Too much is going on here, try again later", pop3::kCodeSysTemp);
  return err(error.text, pop3::kCodeSysPerm);
}

Session::Answer Session::logged_in(std::variant<auth::Login, auth::LoginFailure> result) {
  if (auto failure = std::get_if<auth::LoginFailure>(&result)) {
    switch (*failure) {
      case auth::LoginFailure::Denied:
        co_return pop3::wrong_credentials();
      case auth::LoginFailure::Malformed:
        co_return err("The exchange does not follow the mechanism");
      case auth::LoginFailure::Cancelled:
        co_return err("Given up");
      case auth::LoginFailure::NotOffered:
        co_return err("That mechanism is not offered here");
      default:
        co_return err("Cannot check that now, try again later", pop3::kCodeSysTemp);
    }
  }
  auto& login = std::get<auth::Login>(result);
  std::unique_ptr<MaildropLocks::Lock> lock;
  if (settings_.lock) {
    lock = services_.locks.try_lock(login.account);
    if (!lock) co_return pop3::mailbox_in_use();
  }
  auto room = services_.activity ? services_.activity->room() : UINT64_MAX;
  auto opened = co_await Maildrop::open(services_.store, login.account, room);
  if (!opened) co_return refusal(opened.error());
  maildrop_ = std::move(*opened);
  lock_ = std::move(lock);
  user_ = login.address;
  if (services_.activity)
    services_.activity->log_in(login.account, login.address, login.credential,
                               login.credential_made);
  state_.phase = pop3::Phase::Transaction;
  co_return ok(user_ + " has " + std::to_string(maildrop_->count()) + " messages (" +
               std::to_string(maildrop_->octets()) + " octets)");
}

}  // namespace hikyaku::pop3d
