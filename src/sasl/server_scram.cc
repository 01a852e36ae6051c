// SCRAM (RFC 5802, RFC 7677) with and without channel binding.
#include "base/base64.h"
#include "crypto/constant_time.h"
#include "crypto/hmac.h"
#include "sasl/scram_internal.h"
#include "sasl/scram_message.h"
#include "sasl/server_internal.h"

namespace hikyaku::sasl {
namespace {

class ScramServer final : public Server {
 public:
  ScramServer(const MechanismInfo& mechanism, const ServerSettings& settings,
              const crypto::MasterKey& master)
      : Server(settings, First::Client), mechanism_(mechanism), master_(master) {}

 private:
  enum class Expected { ClientFirst, ClientFinal, Acknowledgement };

  Step on_message(std::string_view message) override {
    switch (expected_) {
      case Expected::ClientFirst:
        return on_client_first(message);
      case Expected::ClientFinal:
        return on_client_final(message);
      case Expected::Acknowledgement:
        if (!message.empty()) return malformed("SCRAM ends with an empty response");
        return success_;
    }
    return malformed("");
  }

  Step on_client_first(std::string_view message) {
    auto parsed = parse_client_first(message);
    if (!parsed) return malformed(parsed.error().text);
    first_message_ = *std::move(parsed);
    if (auto refused = check_flag()) return *std::move(refused);
    auto name = prepare_name(first_message_.authcid, settings_.limits);
    if (auto failure = std::get_if<Failure>(&name)) return std::move(*failure);
    success_.authcid = std::get<std::string>(std::move(name));
    if (auto refused = check_authzid(first_message_.authzid, success_.authcid, settings_.limits))
      return *std::move(refused);
    return NeedCredentials{success_.authcid, Needs::ScramKeys};
  }

  /// RFC 5802 §6: what the client says about channel bindings must agree with what we offered.
  std::optional<Failure> check_flag() {
    auto refused = [](std::string text) {
      return Failure{FailureReason::ChannelBinding, std::move(text)};
    };
    switch (first_message_.flag) {
      case Gs2Flag::None:
        if (mechanism_.channel_bound) return malformed("a -PLUS mechanism without channel binding");
        return std::nullopt;
      case Gs2Flag::ServerLacksIt:
        if (mechanism_.channel_bound) return malformed("a -PLUS mechanism without channel binding");
        if (settings_.channel_binding_offered)
          return refused("the client was told that no channel binding is offered, but it is");
        return std::nullopt;
      case Gs2Flag::Required:
        break;
    }
    if (!mechanism_.channel_bound)
      return malformed("channel binding with a mechanism that is not -PLUS");
    auto type = find_binding_type(first_message_.binding_name);
    auto binding = type ? find_binding(settings_.bindings, *type) : nullptr;
    if (!binding) return refused("channel binding of a type that this connection does not have");
    binding_data_ = binding->data;
    success_.binding = *type;
    return std::nullopt;
  }

  Step on_known(Stored stored) override {
    auto credentials = std::get_if<ScramCredentials>(&stored);
    if (!credentials) return on_unknown(success_.authcid);
    return server_first(std::move(*credentials));
  }

  Step on_unknown(std::string_view name) override {
    exists_ = false;
    return server_first(
        absent_scram_credentials(master_, mechanism_.hash, name, settings_.scram_iterations));
  }

  Step server_first(ScramCredentials credentials) {
    credentials_ = std::move(credentials);
    nonce_ = first_message_.nonce + settings_.nonce;
    server_first_ = "r=" + nonce_ + ",s=" + base64_encode(credentials_.salt) +
                    ",i=" + std::to_string(credentials_.iterations);
    expected_ = Expected::ClientFinal;
    return Challenge{server_first_};
  }

  Step on_client_final(std::string_view message) {
    auto parsed = parse_client_final(message);
    if (!parsed) return malformed(parsed.error().text);
    if (parsed->nonce != nonce_) return malformed("SCRAM with another nonce");
    if (!crypto::constant_time_equal(parsed->binding, first_message_.gs2_header + binding_data_))
      return Failure{FailureReason::ChannelBinding, "the channel bindings do not match"};
    auto auth_message = first_message_.bare + ',' + server_first_ + ',' + parsed->without_proof;
    auto key = find_key(auth_message, parsed->proof);
    if (!key || !exists_) return Failure{FailureReason::Rejected, "wrong password or unknown user"};
    success_.password = *key;
    expected_ = Expected::Acknowledgement;
    return Challenge{"v=" +
                     base64_encode(crypto::hmac(mechanism_.hash, credentials_.keys[*key].server_key,
                                                auth_message))};
  }

  /// The keys that the proof fits. All are tried, so that the time does not tell which.
  std::optional<std::size_t> find_key(std::string_view auth_message, std::string_view proof) const {
    std::optional<std::size_t> found;
    if (proof.size() != crypto::digest_size(mechanism_.hash)) return found;
    for (std::size_t i = 0; i < credentials_.keys.size(); ++i) {
      const auto& stored = credentials_.keys[i].stored_key;
      auto signature = crypto::hmac(mechanism_.hash, stored, auth_message);
      auto client_key = exclusive_or(proof, signature);
      bool fits = crypto::constant_time_equal(crypto::digest(mechanism_.hash, client_key), stored);
      if (fits && !found) found = i;
    }
    return found;
  }

  const MechanismInfo& mechanism_;
  const crypto::MasterKey& master_;
  Expected expected_ = Expected::ClientFirst;
  ClientFirst first_message_;
  std::string binding_data_;
  ScramCredentials credentials_;
  bool exists_ = true;
  std::string nonce_;
  std::string server_first_;
  Success success_;
};

}  // namespace

std::unique_ptr<Server> make_scram_server(const MechanismInfo& mechanism,
                                          const ServerSettings& settings,
                                          const crypto::MasterKey& master) {
  return std::make_unique<ScramServer>(mechanism, settings, master);
}

}  // namespace hikyaku::sasl
