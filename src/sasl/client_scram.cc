// SCRAM (RFC 5802, RFC 7677) with and without channel binding.
#include "base/base64.h"
#include "base/text.h"
#include "crypto/constant_time.h"
#include "crypto/hmac.h"
#include "sasl/client_internal.h"
#include "sasl/saslprep.h"
#include "sasl/scram_internal.h"
#include "sasl/scram_message.h"

namespace hikyaku::sasl {
namespace {

/// gs2-header: flag and authzid.
std::string gs2_header(const ClientSettings& settings, const ChannelBinding* binding) {
  std::string flag = "n";
  if (binding)
    flag = "p=" + std::string(to_string(binding->type));
  else if (!settings.bindings.empty() && !settings.channel_binding_offered)
    // We could bind, the server says it cannot. If somebody in between took it out of the list, the
    // server will see this and refuse (RFC 5802 §6).
    flag = "y";
  auto authzid = settings.authzid.empty() ? "" : "a=" + encode_saslname(settings.authzid);
  return flag + ',' + authzid + ',';
}

class ScramClient final : public Client {
 public:
  ScramClient(const MechanismInfo& mechanism, ClientSettings settings, std::string name,
              crypto::Secret password, const ChannelBinding* binding)
      : mechanism_(mechanism),
        settings_(std::move(settings)),
        password_(std::move(password)),
        gs2_header_(gs2_header(settings_, binding)),
        first_bare_("n=" + encode_saslname(name) + ",r=" + settings_.nonce),
        binding_data_(binding ? binding->data : "") {}

  std::optional<std::string> initial() override { return gs2_header_ + first_bare_; }

  Result<std::string> respond(std::string_view challenge) override {
    switch (state_) {
      case State::ServerFirst:
        return on_server_first(challenge);
      case State::ServerFinal:
        return on_server_final(challenge);
      case State::Proven:
      case State::Failed:
        break;
    }
    return fail(ErrorCode::Invalid, "the server asks for more than SCRAM has");
  }

  Result<void> finish() override {
    if (state_ == State::Proven) return {};
    return fail(ErrorCode::Denied, "the server did not prove that it knows the password");
  }

 private:
  enum class State { ServerFirst, ServerFinal, Proven, Failed };

  Result<std::string> on_server_first(std::string_view challenge) {
    state_ = State::Failed;
    TRY(auto first, parse_server_first(challenge));
    if (!first.nonce.starts_with(settings_.nonce) || first.nonce.size() <= settings_.nonce.size())
      return fail(ErrorCode::Denied, "the server did not extend our nonce");
    if (first.iterations < settings_.min_iterations || first.iterations > settings_.max_iterations)
      return fail(ErrorCode::Denied, "the server wants {} iterations; allowed are {} to {}",
                  first.iterations, settings_.min_iterations, settings_.max_iterations);

    auto salted =
        salted_password(mechanism_.hash, password_.reveal(), first.salt, first.iterations);
    auto key = client_key(mechanism_.hash, salted);
    auto without_proof = "c=" + base64_encode(gs2_header_ + binding_data_) + ",r=" + first.nonce;
    auto auth_message = first_bare_ + ',' + std::string(challenge) + ',' + without_proof;
    auto signature =
        crypto::hmac(mechanism_.hash, crypto::digest(mechanism_.hash, key), auth_message);
    verifier_ = crypto::hmac(mechanism_.hash, server_key(mechanism_.hash, salted), auth_message);
    state_ = State::ServerFinal;
    return without_proof + ",p=" + base64_encode(exclusive_or(key, signature));
  }

  Result<std::string> on_server_final(std::string_view challenge) {
    state_ = State::Failed;
    TRY(auto final, parse_server_final(challenge));
    if (!final.error.empty())
      return fail(ErrorCode::Denied, "the server refused the login: {}", printable(final.error));
    if (!crypto::constant_time_equal(final.verifier, verifier_))
      return fail(ErrorCode::Denied, "the server's proof is wrong: it does not know the password");
    state_ = State::Proven;
    return std::string();
  }

  const MechanismInfo& mechanism_;
  const ClientSettings settings_;
  const crypto::Secret password_;
  const std::string gs2_header_;
  const std::string first_bare_;
  const std::string binding_data_;
  std::string verifier_;
  State state_ = State::ServerFirst;
};

/// The best binding that the connection has.
const ChannelBinding* preferred(const std::vector<ChannelBinding>& bindings) {
  const ChannelBinding* best = nullptr;
  for (const auto& binding : bindings)
    if (!best || binding.type < best->type) best = &binding;
  return best;
}

}  // namespace

Result<std::unique_ptr<Client>> make_scram_client(const MechanismInfo& mechanism,
                                                  ClientSettings settings) {
  if (settings.nonce.empty()) return fail(ErrorCode::Invalid, "SCRAM needs a nonce");
  auto name = saslprep(settings.authcid, Prepared::Query);
  if (!name) return wrap(std::move(name).error(), "this user name cannot be used with SCRAM");
  auto prepared = saslprep(settings.password.reveal(), Prepared::Stored);
  if (!prepared)
    return wrap(std::move(prepared).error(), "this password cannot be used with SCRAM");
  auto password = crypto::Secret::take(*std::move(prepared));
  const ChannelBinding* binding = nullptr;
  if (mechanism.channel_bound) {
    binding = preferred(settings.bindings);
    if (!binding)
      return fail(ErrorCode::Unsupported, "{} needs a TLS connection to bind to", mechanism.name);
  }
  // The binding is copied before the settings are moved away.
  std::optional<ChannelBinding> chosen;
  if (binding) chosen = *binding;
  return std::make_unique<ScramClient>(mechanism, std::move(settings), *std::move(name),
                                       std::move(password), chosen ? &*chosen : nullptr);
}

}  // namespace hikyaku::sasl
