// CRAM-MD5 (RFC 2195): the client proves that it knows the password by a keyed digest.
#include <algorithm>

#include "base/text.h"
#include "sasl/apop.h"
#include "sasl/server_internal.h"

namespace hikyaku::sasl {
namespace {

class CramMd5Server final : public Server {
 public:
  explicit CramMd5Server(const ServerSettings& settings) : Server(settings, First::Server) {}

 private:
  std::string begin() override {
    challenge_ = make_timestamp(settings_.nonce, settings_.host);
    return challenge_;
  }

  /// user name, space, 32 hexadecimal digits; the name itself may contain spaces.
  Step on_message(std::string_view message) override {
    auto space = message.rfind(' ');
    if (space == std::string_view::npos) return malformed("CRAM-MD5 needs a name and a digest");
    digest_ = message.substr(space + 1);
    if (digest_.size() != 32 || !from_hex(digest_))
      return malformed("the digest of CRAM-MD5 has 32 hexadecimal digits");
    auto name = prepare_name(message.substr(0, space), settings_.limits);
    if (auto failure = std::get_if<Failure>(&name)) return std::move(*failure);
    authcid_ = std::get<std::string>(std::move(name));
    return NeedCredentials{authcid_, Needs::PlainPassword};
  }

  Step on_known(Stored stored) override {
    auto passwords = std::get_if<std::vector<crypto::Secret>>(&stored);
    return check(passwords ? std::span<const crypto::Secret>(*passwords)
                           : std::span<const crypto::Secret>());
  }

  Step on_unknown(std::string_view) override { return check({}); }

  Step check(std::span<const crypto::Secret> passwords) {
    auto found = check_cram_md5(challenge_, digest_, passwords);
    if (!found) return Failure{FailureReason::Rejected, "wrong password or unknown user"};
    return Success{authcid_, *found, std::nullopt};
  }

  std::string challenge_;
  std::string authcid_;
  std::string digest_;
};

}  // namespace

std::unique_ptr<Server> make_cram_md5_server(const ServerSettings& settings) {
  return std::make_unique<CramMd5Server>(settings);
}

}  // namespace hikyaku::sasl
