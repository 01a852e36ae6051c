// Every mechanism's server fed with arbitrary messages. The first byte chooses mechanism, initial
// response, and whether the name exists; messages are separated by newlines.
#include "base/text.h"
#include "crypto/random.h"
#include "sasl/exchange.h"
#include "sasl/server.h"

using namespace hikyaku;
using namespace hikyaku::sasl;

namespace {

Stored some_credentials(Needs needs) {
  if (needs == Needs::ScramKeys)
    return ScramCredentials{"salt", 4096, {{std::string(32, 'k'), std::string(32, 's')}}};
  std::vector<crypto::Secret> passwords;
  passwords.emplace_back("password");
  return passwords;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static crypto::SeededRandom random(1);
  static const auto master = crypto::MasterKey::generate(random);
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto choice = static_cast<Mechanism>(data[0] % mechanisms().size());
  bool initial = data[0] & 0x80;
  bool exists = data[0] & 0x40;
  ServerSettings settings{.nonce = "nonce",
                          .host = "host",
                          .bindings = {{BindingType::TlsExporter, "x"}},
                          .channel_binding_offered = true};
  auto server = make_server(choice, settings, master);
  auto messages = split(input, '\n');
  std::size_t next = 0;
  auto step = initial ? server->start(messages[next++]) : server->start(std::nullopt);
  for (;;) {
    if (auto need = std::get_if<NeedCredentials>(&step)) {
      step = exists ? server->known(some_credentials(need->needs)) : server->unknown(need->authcid);
    } else if (std::holds_alternative<Challenge>(step) && next < messages.size()) {
      step = server->respond(messages[next++]);
    } else {
      break;
    }
  }
  (void)decode_response(input);
  return 0;
}
