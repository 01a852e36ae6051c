#include "sasl/server.h"

#include "base/text.h"
#include "sasl/saslprep.h"
#include "sasl/server_internal.h"

namespace hikyaku::sasl {

Failure malformed(std::string text) {
  return {FailureReason::Malformed, std::move(text)};
}

std::variant<std::string, Failure> prepare_name(std::string_view name, const ServerLimits& limits) {
  if (name.size() > limits.name) return malformed("the user name is too long");
  auto prepared = saslprep(name, Prepared::Query);
  // Nobody has such a name (RFC 4616 §2).
  if (!prepared) return Failure{FailureReason::Rejected, "user name: " + prepared.error().text};
  return *std::move(prepared);
}

std::optional<Failure> check_authzid(std::string_view authzid, std::string_view authcid,
                                     const ServerLimits& limits) {
  if (authzid.empty()) return std::nullopt;
  auto prepared = prepare_name(authzid, limits);
  if (auto failure = std::get_if<Failure>(&prepared)) return std::move(*failure);
  // The login goes to authcid in any case; letter case in the other spelling does no harm.
  if (iequals(std::get<std::string>(prepared), authcid)) return std::nullopt;
  return Failure{FailureReason::NotAuthorized, "asked to act as somebody else"};
}

namespace {

/// A driver that calls what is not due has a defect; whatever led to it must not log anybody in.
Failure out_of_order() {
  return malformed("the login exchange is not at this point");
}

}  // namespace

Step Server::enter(Step step) {
  if (std::holds_alternative<Challenge>(step))
    state_ = State::Client;
  else if (std::holds_alternative<NeedCredentials>(step))
    state_ = State::Credentials;
  else
    state_ = State::Over;
  return step;
}

Step Server::start(std::optional<std::string_view> initial) {
  if (state_ != State::New) return enter(out_of_order());
  if (!initial) return enter(Challenge{begin()});
  if (first_ == First::Server)
    return enter(malformed("this mechanism begins with the server's challenge"));
  state_ = State::Client;
  return respond(*initial);
}

Step Server::respond(std::string_view message) {
  if (state_ != State::Client) return enter(out_of_order());
  if (message.size() > settings_.limits.message) return enter(malformed("the message is too long"));
  return enter(on_message(message));
}

Step Server::known(Stored stored) {
  if (state_ != State::Credentials) return enter(out_of_order());
  return enter(on_known(std::move(stored)));
}

Step Server::unknown(std::string_view name) {
  if (state_ != State::Credentials) return enter(out_of_order());
  return enter(on_unknown(name));
}

Step Server::on_known(Stored) {
  return malformed("this mechanism asks for no credentials");
}

Step Server::on_unknown(std::string_view) {
  return malformed("this mechanism asks for no credentials");
}

std::unique_ptr<Server> make_server(Mechanism mechanism, const ServerSettings& settings,
                                    const crypto::MasterKey& master) {
  switch (mechanism) {
    case Mechanism::Plain:
      return make_plain_server(settings);
    case Mechanism::Login:
      return make_login_server(settings);
    case Mechanism::CramMd5:
      return make_cram_md5_server(settings);
    case Mechanism::ScramSha1:
    case Mechanism::ScramSha1Plus:
    case Mechanism::ScramSha256:
    case Mechanism::ScramSha256Plus:
      break;
  }
  return make_scram_server(info(mechanism), settings, master);
}

}  // namespace hikyaku::sasl
