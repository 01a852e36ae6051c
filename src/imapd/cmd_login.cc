// LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3; RFC 4959): the exchange itself is auth/'s
// business, base64 and lines are ours.
#include <algorithm>

#include "base/base64.h"
#include "imapd/session.h"

namespace hikyaku::imapd {
namespace {

/// RFC 4752 would need 12 KB; ours are far shorter.
constexpr std::size_t kResponseLine = 16 * 1024;

imap::Reply reply_for(auth::LoginFailure failure) {
  switch (failure) {
    case auth::LoginFailure::Malformed:
      return imap::bad("The response is malformed");
    case auth::LoginFailure::Cancelled:
      return imap::bad("Authentication cancelled");
    case auth::LoginFailure::Throttled:
      return imap::no("Too many failures: try again later", "UNAVAILABLE");
    case auth::LoginFailure::Unavailable:
      return imap::no("Cannot check this at the moment: try again later", "UNAVAILABLE");
    case auth::LoginFailure::Crowded:
      return imap::no("The account has too many sessions: close one", "LIMIT");
    case auth::LoginFailure::NotOffered:
      return imap::no("This mechanism is not offered here");
    case auth::LoginFailure::Denied:
      break;
  }
  return imap::no("User name or password is wrong", "AUTHENTICATIONFAILED");
}

}  // namespace

Task<imap::Reply> Session::handle(imap::LoginCommand command) {
  if (!offered().login) co_return imap::no("LOGIN is switched off: use AUTHENTICATE");
  auto outcome = co_await services_.authenticator.check_password(
      login_context(), std::move(command.user), std::move(command.password));
  if (auto failure = std::get_if<auth::LoginFailure>(&outcome)) co_return reply_for(*failure);
  co_return logged_in(std::move(std::get<auth::Login>(outcome)));
}

Task<imap::Reply> Session::handle(imap::AuthenticateCommand command) {
  auto bindings = stream_.channel_bindings();
  auto exchange = services_.authenticator.begin(
      login_context(), command.mechanism, mechanisms(),
      {bindings.tls_exporter, bindings.tls_unique, bindings.tls_server_end_point});
  if (!exchange) {
    auto& under_tls = settings_.mechanisms_under_tls;
    auto needs_tls =
        !state_.tls && std::ranges::find(under_tls, command.mechanism) != under_tls.end();
    co_return needs_tls ? imap::no("This mechanism needs TLS: STARTTLS first", "PRIVACYREQUIRED")
                        : imap::no("This mechanism is not offered here");
  }

  std::optional<std::string> response;
  if (command.initial_response) {
    // "=" is an empty response, as against none (RFC 4959 §3).
    response =
        *command.initial_response == "=" ? std::string() : base64_decode(*command.initial_response);
    if (!response) co_return imap::bad("The initial response is not base64");
  }
  while (true) {
    auto outcome = co_await exchange->step(std::move(response));
    if (auto failure = std::get_if<auth::LoginFailure>(&outcome)) co_return reply_for(*failure);
    if (auto login = std::get_if<auth::Login>(&outcome)) co_return logged_in(std::move(*login));
    auto challenge = base64_encode(std::get<auth::SaslExchange::Challenge>(outcome).bytes);
    // An empty challenge is "+ " and nothing: what imap::append_continuation would fill.
    out() += "+ " + challenge + "\r\n";
    parser_.expect_line(kResponseLine);
    if (co_await next_event() != Event::Line) co_return parser_.reply();
    auto line = parser_.line();
    if (line == "*") co_return imap::bad("Authentication cancelled");
    response = base64_decode(line);
    if (!response) co_return imap::bad("The response is not base64");
  }
}

}  // namespace hikyaku::imapd
