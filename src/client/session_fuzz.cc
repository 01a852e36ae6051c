// Whatever a server says to our own clients: the first byte chooses the protocol and whether there
// is a login, the rest is all that it ever says.
#include <cstdlib>

#include "client/imap_client.h"
#include "client/pop3_client.h"
#include "client/smtp_client.h"
#include "net/fake_stream.h"
#include "testing/test_loop.h"

namespace {

using namespace hikyaku;
using namespace hikyaku::client;

constexpr std::size_t kMost = 4096;

struct Text final : MessageSource {
  Task<Result<std::string>> next() override { co_return std::exchange(left, {}); }
  std::string left = "Subject: x\r\n\r\n.\r\n";
};

/// Counts what is handed on: never more than what came.
struct Count final : MailSink, FetchSink {
  Task<void> data(std::string_view bytes) override {
    size += bytes.size();
    co_return;
  }
  Task<void> begin(std::uint32_t) override { co_return; }
  Task<void> end(std::uint32_t) override { co_return; }
  Task<void> begin(const imap::FetchData&, std::string_view, std::uint64_t) override { co_return; }
  Task<void> end() override { co_return; }
  std::size_t size = 0;
};

Login login() {
  return {.user = "anna", .password = crypto::Secret("secret"), .allow_clear = true};
}

Task<void> imap_session(std::unique_ptr<net::Stream> stream, bool logs_in, Count& count) {
  ImapClient client(std::move(stream));
  if (!co_await client.greet()) co_return;
  auto who = login();
  if (logs_in && !co_await client.log_in(who)) co_return;
  (void)co_await client.list({.special_use = true});
  (void)co_await client.personal_namespace();
  (void)co_await client.status("INBOX", "MESSAGES UIDNEXT");
  if (co_await client.select("INBOX")) {
    (void)co_await client.search("ALL");
    (void)co_await client.fetch("1:*", "(FLAGS BODY.PEEK[])", count);
    auto content = co_await client.fetch_content(1, "BODY.PEEK[]", kMost);
    if (content && content->size() > kMost) std::abort();
    (void)co_await client.copy("1", "Other");
  }
  (void)co_await client.append_text("INBOX", {}, "Subject: x\r\n\r\n");
  if (co_await client.idle()) {
    (void)co_await client.idle_event(std::chrono::seconds(1));
    (void)co_await client.idle_done();
  }
  co_await client.log_out();
}

Task<void> pop3_session(std::unique_ptr<net::Stream> stream, bool logs_in, Count& count) {
  Pop3Client client(std::move(stream));
  if (!co_await client.greet()) co_return;
  auto who = login();
  if (logs_in && !co_await client.log_in(who)) co_return;
  (void)co_await client.stat();
  (void)co_await client.list();
  (void)co_await client.uidl();
  (void)co_await client.retr_all({1, 2, 3}, count);
  auto text = co_await client.retr_text(1, kMost);
  if (text && text->size() > kMost) std::abort();
  (void)co_await client.dele(1);
  (void)co_await client.quit();
}

Task<void> smtp_session(std::unique_ptr<net::Stream> stream, bool logs_in) {
  SmtpClient client(std::move(stream), "mx.alpha.test");
  if (!co_await client.greet()) co_return;
  auto who = login();
  if (logs_in && !co_await client.log_in(who)) co_return;
  for (int i = 0; i < 2 && client.usable(); ++i) {
    Text source;
    std::vector<SmtpClient::Recipient> recipients = {{{"bob", "beta.test", {}}, {}},
                                                     {{"carol", "beta.test", {}}, {}}};
    smtp::Outgoing message;
    message.size = source.left.size();
    auto results = co_await client.send(message, recipients, source);
    if (results.size() != recipients.size()) std::abort();
  }
  co_await client.quit();
}

Task<void> talk(std::uint8_t which, std::unique_ptr<net::Stream> stream, Count& count) {
  bool logs_in = which & 4;
  try {
    switch (which & 3) {
      case 0:
        co_await imap_session(std::move(stream), logs_in, count);
        break;
      case 1:
        co_await pop3_session(std::move(stream), logs_in, count);
        break;
      default:
        co_await smtp_session(std::move(stream), logs_in);
    }
  } catch (const net::Disconnected&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 20'000) return 0;
  testing::TestLoop loop;
  auto [server, client] = net::FakeStream::pair();
  client->receive({reinterpret_cast<const char*>(data) + 1, size - 1});
  client->receive_end();
  Count count;
  loop.run(talk(data[0], std::move(client), count));
  if (count.size > 2 * size) std::abort();  // a LF alone becomes CRLF
  return 0;
}
