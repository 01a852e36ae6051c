// Bytes from anybody, in every state of an SMTP session: the first byte chooses listener and state,
// the rest is what the client says then. Afterwards everything that was accepted is whole, and on
// submission it is from who has logged in.
#include <cstdlib>

#include "net/fake_stream.h"
#include "net/tls_test.h"
#include "smtpd/server.h"
#include "testing/world.h"

namespace hikyaku {
namespace {

constexpr const char* kBefore[] = {
    "",
    "EHLO c\r\n",
    "EHLO c\r\nMAIL FROM:<x@beta.test>\r\n",
    "EHLO c\r\nMAIL FROM:<x@beta.test> SMTPUTF8\r\nRCPT TO:<anna@alpha.test>\r\n",
    "EHLO c\r\nMAIL FROM:<x@beta.test>\r\nRCPT TO:<team@alpha.test>\r\nDATA\r\n",
    "EHLO c\r\nMAIL FROM:<x@beta.test>\r\nRCPT TO:<anna@alpha.test>\r\nBDAT 4\r\na:b\n",
    "EHLO c\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<anna@alpha.test>\r\nBDAT 9\r\n",
    "EHLO c\r\nAUTH PLAIN\r\n",
    "EHLO c\r\nSTARTTLS\r\n",
    "EHLO c\r\nAUTH PLAIN AGFubmEAcHc=\r\n",
    "EHLO c\r\nAUTH PLAIN AGFubmEAcHc=\r\nMAIL FROM:<>\r\nRCPT TO:<ext@beta.test>\r\nDATA\r\n",
};

smtpd::Settings settings_for(unsigned choice) {
  smtpd::Settings settings;
  auto& protocol = settings.protocol;
  protocol.host_name = "mx.alpha.test";
  protocol.max_size = 5'000;
  protocol.starttls = true;
  protocol.binary_mime = true;
  protocol.dsn = (choice & 1) != 0;
  protocol.flavour = (choice & 8) != 0   ? smtp::Flavour::Submission
                     : (choice & 2) != 0 ? smtp::Flavour::Local
                                         : smtp::Flavour::Mx;
  // No Argon2: it would be all that is fuzzed.
  protocol.mechanisms_in_clear = {"PLAIN", "CRAM-MD5", "SCRAM-SHA-256"};
  settings.protocol_on_loopback = protocol;
  return settings;
}

/// anna logs in with any password, in one step or two; nobody else does.
class AnnaLogsIn final : public auth::Authenticator {
 public:
  explicit AnnaLogsIn(auth::AccountId anna) : anna_(anna) {}
  bool let_in() const { return let_in_; }

  class Exchange final : public auth::SaslExchange {
   public:
    explicit Exchange(AnnaLogsIn& of) : of_(of) {}
    Task<Outcome> step(std::optional<std::string> response) override {
      if (!response) co_return Challenge{"who?"};
      if (!response->starts_with(std::string_view("\0anna\0", 6)))
        co_return auth::LoginFailure::Denied;
      of_.let_in_ = true;
      co_return auth::Login{of_.anna_, "anna@alpha.test", "PLAIN", "password"};
    }

   private:
    AnnaLogsIn& of_;
  };
  using Answer = std::variant<auth::Login, auth::LoginFailure>;
  Task<Answer> check_password(auth::LoginContext, std::string, std::string) override {
    co_return auth::LoginFailure::Denied;
  }
  Task<Answer> check_apop(auth::LoginContext, std::string, std::string, std::string) override {
    co_return auth::LoginFailure::Denied;
  }
  std::unique_ptr<auth::SaslExchange> begin(auth::LoginContext, std::string_view,
                                            const std::vector<std::string>&, Bindings) override {
    return std::make_unique<Exchange>(*this);
  }

 private:
  auth::AccountId anna_;
  bool let_in_ = false;
};

/// What came by submission is from somebody, and under an address that is hers.
void check_submitted(testing::World& world, bool let_in, bool accepted) {
  if (accepted && !let_in) std::abort();
  for (auto& entry : world.queued()) {
    auto message = queue::get_message(world.store.keys(), entry.message);
    if (!message || message->account != world.anna.id) std::abort();
    if (!message->mail_from.empty() &&
        !auth::CachedResolver(world.settings.recipient_delimiters)
             .may_send_as(world.store.keys(), world.anna.id, message->mail_from))
      std::abort();
  }
}

/// Every reply is a well-formed SMTP reply.
void check_replies(std::string_view said) {
  smtp::ReplyParser parser;
  while (!said.empty()) {
    said.remove_prefix(parser.feed(said));
    if (parser.error()) std::abort();
    if (parser.ready()) parser.take();
  }
  if (parser.in_reply()) std::abort();
}

}  // namespace
}  // namespace hikyaku

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  if (size < 2 || size > 20'000) return 0;
  // One world until a message is accepted: making it takes longer than a session.
  static std::unique_ptr<testing::World> world;
  if (!world) world = std::make_unique<testing::World>(testing::World::Passwords::None);
  AnnaLogsIn authenticator(world->anna.id);

  auto settings = settings_for(data[1]);
  auto [server, client] = net::FakeStream::pair();
  if ((data[1] & 4) != 0) server->set_read_limit(1 + (data[1] >> 4));
  server->receive(kBefore[data[0] % std::size(kBefore)]);
  server->receive({reinterpret_cast<const char*>(data) + 2, size - 2});
  server->receive_end();
  world->loop.run(smtpd::serve(std::move(server), settings,
                               {*world->receiver, authenticator, &net::testing::server_tls()}, {}));
  std::string said(100'000, 0);
  said.resize(client->try_read(said).value_or(0));
  check_replies(said);
  auto accepted = !world->queued().empty();
  for (auto account : {world->anna.id, world->bob.id}) {
    for (auto& mail : world->inbox(account)) {
      if (mail.bytes.size() != mail.record.size || !mail.bytes.starts_with("Return-Path: <"))
        std::abort();
      accepted = true;
    }
  }
  if (settings.protocol.flavour == smtp::Flavour::Submission)
    check_submitted(*world, authenticator.let_in(), accepted);
  if (accepted) world = nullptr;
  return 0;
}
