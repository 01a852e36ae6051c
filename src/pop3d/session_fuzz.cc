// Bytes from anybody, in every state of a POP3 session: the first byte chooses the state, the rest
// is what the client says then. Without QUIT nothing goes.
#include <cstdlib>

#include "base/text.h"
#include "net/fake_stream.h"
#include "net/tls_test.h"
#include "pop3d/server.h"
#include "testing/world.h"

namespace hikyaku {
namespace {

constexpr const char* kBefore[] = {
    "",
    "USER anna@alpha.test\r\n",
    "AUTH PLAIN\r\n",
    "STLS\r\n",
    "USER anna@alpha.test\r\nPASS secret\r\n",
    "USER anna@alpha.test\r\nPASS secret\r\nDELE 1\r\nUTF8\r\n",
};

/// Whoever has a name may come in.
class EverybodyLogsIn final : public auth::Authenticator {
 public:
  explicit EverybodyLogsIn(store::AccountId account) : account_(account) {}
  using Answer = std::variant<auth::Login, auth::LoginFailure>;
  class Exchange final : public auth::SaslExchange {
   public:
    Task<Outcome> step(std::optional<std::string> response) override {
      if (!response) co_return Challenge{"who?"};
      co_return auth::LoginFailure::Denied;
    }
  };
  Task<Answer> check_password(auth::LoginContext, std::string user, std::string) override {
    if (user != "anna@alpha.test") co_return auth::LoginFailure::Denied;
    co_return auth::Login{account_, user, "PLAIN", "password"};
  }
  Task<Answer> check_apop(auth::LoginContext, std::string, std::string, std::string) override {
    co_return auth::LoginFailure::Denied;
  }
  std::unique_ptr<auth::SaslExchange> begin(auth::LoginContext, std::string_view,
                                            const std::vector<std::string>&, Bindings) override {
    return std::make_unique<Exchange>();
  }

 private:
  store::AccountId account_;
};

}  // namespace
}  // namespace hikyaku

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  if (size < 1 || size > 20'000) return 0;
  // One world until a message is deleted: making it takes longer than a session.
  static std::unique_ptr<testing::World> kept;
  auto fresh = !kept;
  if (fresh) kept = std::make_unique<testing::World>(testing::World::Passwords::None);
  auto& world = *kept;
  for (std::string message : {"Subject: 1\r\n\r\n.\r\n..\r\nx", "\r\n", "no header"}) {
    if (!fresh) break;
    mailbox::NewMessage mail;
    mail.body = store::MemoryTransaction::stage(message);
    world.change([&](store::Transaction& tx) {
      auto inbox = mailbox::find_role(tx, world.anna.id, mailbox::Role::Inbox);
      return mailbox::deliver(tx, world.anna.id, inbox->id, mail, world.loop.now());
    });
  }
  EverybodyLogsIn authenticator(world.anna.id);
  pop3d::Settings settings;
  settings.host_name = "mx.alpha.test";
  settings.plaintext_on_loopback = true;
  settings.capabilities.utf8 = true;
  settings.capabilities.mechanisms = {"PLAIN"};
  pop3d::MaildropLocks locks;
  auto loopback = *IpAddress::parse("127.0.0.1");
  auto [server, client] = net::FakeStream::pair({loopback, 110}, {loopback, 40000});
  server->receive(kBefore[data[0] % std::size(kBefore)]);
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  server->receive(bytes);
  server->receive_end();
  world.loop.run(pop3d::serve(
      std::move(server), settings,
      {world.store, authenticator, world.loop, world.random, locks, &net::testing::server_tls()},
      {}));
  auto quits = to_lower(bytes).find("quit") != std::string::npos;
  auto left = world.inbox(world.anna.id).size();
  if (left != 3 && !quits) std::abort();
  if (!locks.try_lock(world.anna.id)) std::abort();
  if (left != 3) kept = nullptr;
  return 0;
}
