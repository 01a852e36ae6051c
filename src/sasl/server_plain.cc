// PLAIN (RFC 4616) and LOGIN: the client sends its password.
#include "sasl/server_internal.h"

namespace hikyaku::sasl {
namespace {

Step check_password(std::string_view name, std::string_view password, const ServerLimits& limits) {
  if (password.size() > limits.password) return malformed("the password is too long");
  if (password.empty()) return Failure{FailureReason::Rejected, "empty password"};
  auto authcid = prepare_name(name, limits);
  if (auto failure = std::get_if<Failure>(&authcid)) return std::move(*failure);
  return CheckPassword{std::get<std::string>(std::move(authcid)), crypto::Secret(password)};
}

class PlainServer final : public Server {
 public:
  explicit PlainServer(const ServerSettings& settings) : Server(settings, First::Client) {}

 private:
  /// message = [authzid] UTF8NUL authcid UTF8NUL passwd
  Step on_message(std::string_view message) override {
    constexpr auto npos = std::string_view::npos;
    auto first = message.find('\0');
    auto second = first == npos ? npos : message.find('\0', first + 1);
    if (second == npos || message.find('\0', second + 1) != npos)
      return malformed("PLAIN needs three parts with NUL between them");
    auto authzid = message.substr(0, first);
    auto authcid = message.substr(first + 1, second - first - 1);
    auto step = check_password(authcid, message.substr(second + 1), settings_.limits);
    if (auto check = std::get_if<CheckPassword>(&step))
      if (auto refused = check_authzid(authzid, check->authcid, settings_.limits)) return *refused;
    return step;
  }
};

/// draft-murchison-sasl-login: two prompts, whose words some clients compare.
class LoginServer final : public Server {
 public:
  explicit LoginServer(const ServerSettings& settings) : Server(settings, First::Either) {}

 private:
  std::string begin() override { return "Username:"; }

  Step on_message(std::string_view message) override {
    if (!has_name_) {
      if (message.size() > settings_.limits.name) return malformed("the user name is too long");
      name_ = message;
      has_name_ = true;
      return Challenge{"Password:"};
    }
    return check_password(name_, message, settings_.limits);
  }

  std::string name_;
  bool has_name_ = false;
};

}  // namespace

std::unique_ptr<Server> make_plain_server(const ServerSettings& settings) {
  return std::make_unique<PlainServer>(settings);
}

std::unique_ptr<Server> make_login_server(const ServerSettings& settings) {
  return std::make_unique<LoginServer>(settings);
}

}  // namespace hikyaku::sasl
