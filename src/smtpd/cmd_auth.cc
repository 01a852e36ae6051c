// AUTH (RFC 4954): the exchange itself is auth/'s business, base64 and lines are ours.
#include <algorithm>

#include "base/base64.h"
#include "base/text.h"
#include "smtp/replies.h"
#include "smtpd/session.h"

namespace hikyaku::smtpd {

namespace replies = smtp::replies;

namespace {

smtp::Reply reply_for(auth::LoginFailure failure) {
  switch (failure) {
    case auth::LoginFailure::Malformed:
      return replies::auth_bad_base64();
    case auth::LoginFailure::Cancelled:
      return replies::auth_cancelled();
    case auth::LoginFailure::Throttled:
      return replies::auth_throttled();
    case auth::LoginFailure::Unavailable:
      return replies::auth_unavailable();
    case auth::LoginFailure::Crowded:
      return replies::auth_crowded();
    case auth::LoginFailure::NotOffered:
      return replies::auth_unknown_mechanism("");
    case auth::LoginFailure::Denied:
      break;
  }
  return replies::auth_failed();
}

/// Why a mechanism that is not offered now cannot be used.
smtp::Reply not_offered(const smtp::Session& state, const std::string& mechanism) {
  auto& under_tls = state.settings().mechanisms_under_tls;
  auto needs_tls = !state.tls() && std::ranges::find(under_tls, mechanism) != under_tls.end();
  return needs_tls ? replies::auth_needs_tls()
                   : replies::auth_unknown_mechanism(join(state.mechanisms(), " "));
}

}  // namespace

Task<smtp::Reply> Session::handle(smtp::Auth command) {
  auto bindings = stream_.channel_bindings();
  auto exchange = services_.authenticator.begin(
      login_context(), command.mechanism, state_.mechanisms(),
      {bindings.tls_exporter, bindings.tls_unique, bindings.tls_server_end_point});
  if (!exchange) co_return not_offered(state_, command.mechanism);

  std::optional<std::string> response;
  if (command.initial_response) {
    response = base64_decode(*command.initial_response);
    if (!response) co_return replies::auth_bad_base64();
  }
  while (true) {
    auto outcome = co_await exchange->step(std::move(response));
    if (auto failure = std::get_if<auth::LoginFailure>(&outcome)) co_return reply_for(*failure);
    if (auto login = std::get_if<auth::Login>(&outcome)) {
      login_ = std::move(*login);
      state_.logged_in(login_->address);
      has_proved_useful();
      if (services_.activity)
        services_.activity->log_in(login_->account, login_->address, login_->credential,
                                   login_->credential_made);
      co_return replies::logged_in();
    }
    write(replies::auth_challenge(
        base64_encode(std::get<auth::SaslExchange::Challenge>(outcome).bytes)));
    lines_.expect_auth_response(true);
    auto line = co_await next_line();
    lines_.expect_auth_response(false);
    if (!line) co_return line.error();
    if (*line == "*") co_return replies::auth_cancelled();
    response = base64_decode(*line);
    if (!response) co_return replies::auth_bad_base64();
  }
}

}  // namespace hikyaku::smtpd
