#include "client/login.h"

#include "base/async.h"
#include "base/base64.h"
#include "base/text.h"
#include "crypto/random.h"
#include "sasl/mechanisms.h"

namespace hikyaku::client {
namespace {

std::vector<sasl::ChannelBinding> bindings_of(const net::Stream& stream) {
  std::vector<sasl::ChannelBinding> bindings;
  if (!stream.tls()) return bindings;
  auto ours = stream.channel_bindings();
  auto add = [&](sasl::BindingType type, std::string& data) {
    if (!data.empty()) bindings.push_back({type, std::move(data)});
  };
  add(sasl::BindingType::TlsExporter, ours.tls_exporter);
  add(sasl::BindingType::TlsUnique, ours.tls_unique);
  add(sasl::BindingType::TlsServerEndPoint, ours.tls_server_end_point);
  return bindings;
}

}  // namespace

bool is_private(const net::Stream& stream) {
  return stream.tls() || stream.peer_process() || stream.peer().address.is_loopback();
}

Result<LoginExchange> LoginExchange::begin(const net::Stream& stream,
                                           const std::vector<std::string>& offered,
                                           const Login& login) {
  auto bindings = bindings_of(stream);
  bool readable = login.allow_clear || is_private(stream);
  auto mechanism = login.mechanism;
  if (!mechanism) {
    mechanism =
        sasl::choose(offered, {.private_channel = readable, .has_bindings = !bindings.empty()});
    if (!mechanism) {
      return fail(ErrorCode::Unsupported, "the server offers no login that can be used here ({}{})",
                  offered.empty() ? "none at all" : join(offered, " "),
                  readable ? "" : "; the connection is not encrypted");
    }
  } else if (!readable && sasl::info(*mechanism).plaintext) {
    return fail(ErrorCode::Denied,
                "{} would show the password to everybody: the connection is not encrypted",
                sasl::to_string(*mechanism));
  }
  bool bound_offered = false;
  for (auto& name : offered) bound_offered |= iends_with(name, "-PLUS");
  crypto::SystemRandom random;
  TRY(auto client, sasl::make_client(*mechanism, {.authcid = login.user,
                                                  .password = login.password.copy(),
                                                  .authzid = login.act_as,
                                                  .nonce = random.token(24),
                                                  .bindings = std::move(bindings),
                                                  .channel_binding_offered = bound_offered}));
  return LoginExchange(*mechanism, std::move(client), login.workers);
}

std::optional<std::string> LoginExchange::initial() {
  initial_asked_ = true;
  auto response = client_->initial();
  if (!response) return std::nullopt;
  auto encoded = base64_encode(*response);
  crypto::wipe(*response);
  return encoded;
}

void LoginExchange::begin(LoginWire& wire, const LoginStart& start) {
  auto line = fmt::format("{} {}", start.command, mechanism());
  auto shown = line;
  if (start.initial_response) {
    if (auto response = initial()) {
      // "=" stands for an empty one in all three protocols (RFC 4954 §4, 5034 §4, 4959 §3).
      line += " " + (response->empty() ? std::string("=") : *response);
      shown += " ***";
      crypto::wipe(*response);
    }
  }
  wire.say(line, start.show_secrets ? std::string_view() : shown);
  crypto::wipe(line);
}

Task<Result<bool>> LoginExchange::run(LoginWire& wire, LoginStart start) {
  begin(wire, start);
  std::optional<Error> gave_up;
  while (true) {
    auto reply = co_await wire.reply();
    auto asks = reply.kind == LoginWire::Reply::Kind::Challenge;
    if (asks && !gave_up) {
      auto response = co_await answer(reply.challenge);
      if (response) {
        wire.say(*response, start.show_secrets ? std::string_view() : "***");
        crypto::wipe(*response);
      } else {
        gave_up = std::move(response).error();
        wire.say("*", {});
      }
      continue;
    }
    if (gave_up) {
      // Asked on after "*": who does not let go is not answered for ever.
      if (asks) wire.close();
      co_return std::unexpected(std::move(*gave_up));
    }
    if (reply.kind == LoginWire::Reply::Kind::Refused) co_return false;
    // A server that lets anybody in may be somebody else's.
    auto proven = client_->finish();
    if (!proven) {
      wire.close();
      co_return std::unexpected(std::move(proven).error());
    }
    co_return true;
  }
}

Task<Result<std::string>> LoginExchange::answer(std::string_view challenge) {
  if (!std::exchange(initial_asked_, true)) {
    if (auto first = client_->initial()) {
      auto encoded = base64_encode(*first);
      crypto::wipe(*first);
      co_return encoded;
    }
  }
  auto decoded = base64_decode(challenge);
  if (!decoded) co_return fail(ErrorCode::Invalid, "the server's challenge is no base64");
  Result<std::string> response;
  if (workers_) {
    response = co_await run_on(*workers_, [client = client_, challenge = std::move(*decoded)] {
      return client->respond(challenge);
    });
  } else {
    response = client_->respond(*decoded);
  }
  if (!response) co_return std::unexpected(std::move(response).error());
  auto encoded = base64_encode(*response);
  crypto::wipe(*response);
  co_return encoded;
}

}  // namespace hikyaku::client
