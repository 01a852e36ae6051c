#include "sasl/client.h"

#include "sasl/apop.h"
#include "sasl/client_internal.h"

namespace hikyaku::sasl {
namespace {

/// The mechanisms in which the server proves nothing.
class OneSidedClient : public Client {
 public:
  explicit OneSidedClient(ClientSettings settings) : settings_(std::move(settings)) {}
  Result<void> finish() override { return {}; }

 protected:
  const ClientSettings settings_;
};

class PlainClient final : public OneSidedClient {
 public:
  using OneSidedClient::OneSidedClient;

  std::optional<std::string> initial() override {
    std::string message;
    message.append(settings_.authzid).append(1, '\0').append(settings_.authcid).append(1, '\0');
    message.append(settings_.password.reveal());
    return message;
  }
  Result<std::string> respond(std::string_view) override {
    return fail(ErrorCode::Invalid, "the server asks for more than PLAIN has");
  }
};

class LoginClient final : public OneSidedClient {
 public:
  using OneSidedClient::OneSidedClient;

  std::optional<std::string> initial() override { return std::nullopt; }
  /// The prompts' words differ between servers; their order does not.
  Result<std::string> respond(std::string_view) override {
    switch (answered_++) {
      case 0:
        return settings_.authcid;
      case 1:
        return std::string(settings_.password.reveal());
      default:
        return fail(ErrorCode::Invalid, "the server asks for more than LOGIN has");
    }
  }

 private:
  int answered_ = 0;
};

class CramMd5Client final : public OneSidedClient {
 public:
  using OneSidedClient::OneSidedClient;

  std::optional<std::string> initial() override { return std::nullopt; }
  Result<std::string> respond(std::string_view challenge) override {
    if (answered_) return fail(ErrorCode::Invalid, "the server asks for more than CRAM-MD5 has");
    if (challenge.empty()) return fail(ErrorCode::Invalid, "the server's challenge is empty");
    answered_ = true;
    return settings_.authcid + ' ' + cram_md5_digest(challenge, settings_.password);
  }

 private:
  bool answered_ = false;
};

}  // namespace

Result<std::unique_ptr<Client>> make_client(Mechanism mechanism, ClientSettings settings) {
  if (settings.authcid.empty()) return fail(ErrorCode::Invalid, "no user name to log in with");
  constexpr auto npos = std::string_view::npos;
  if (settings.authcid.find('\0') != npos || settings.authzid.find('\0') != npos ||
      settings.password.reveal().find('\0') != npos)
    return fail(ErrorCode::Invalid, "a NUL in the user name or password");
  const auto& wanted = info(mechanism);
  if (wanted.needs == Needs::ScramKeys) return make_scram_client(wanted, std::move(settings));
  if (mechanism == Mechanism::Plain) return std::make_unique<PlainClient>(std::move(settings));
  if (!settings.authzid.empty())
    return fail(ErrorCode::Invalid, "{} cannot ask to act as somebody else", wanted.name);
  if (mechanism == Mechanism::Login) return std::make_unique<LoginClient>(std::move(settings));
  return std::make_unique<CramMd5Client>(std::move(settings));
}

}  // namespace hikyaku::sasl
