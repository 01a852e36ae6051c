// What commands cost on a mailbox of 100,000 messages: processor time of the session's loop, from
// the bytes of the command to the bytes of the answer, without a network.
#include <fmt/core.h>
#include <time.h>

#include "imapd/fixture_test.h"
#include "mailbox/messages.h"

using namespace hikyaku;
using namespace hikyaku::imapd::testing;

namespace {

constexpr int kMessages = 100'000;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string typical_message(int number) {
  auto id = std::to_string(number);
  return "Received: from a.example.org by mx.example.net with ESMTPS id " + id +
         "; Sat, 21 Nov 2026 22:00:00 +0000\r\n"
         "From: \"Somebody Else\" <somebody@example.org>\r\n"
         "To: \"A Person\" <person@example.net>, other@example.net\r\n"
         "Subject: Re: the plan for next week and what " +
         id +
         " has to do with it\r\n"
         "Date: Sat, 21 Nov 2026 22:00:00 +0000\r\n"
         "Message-ID: <" +
         id +
         "@example.org>\r\n"
         "MIME-Version: 1.0\r\n"
         "Content-Type: text/plain; charset=utf-8\r\n\r\n" +
         std::string(3'500, 'x') + "\r\n";
}

/// Delivers each body ten times: what is measured here is not the store.
void fill(Server& server) {
  auto inbox = server.loop.run(server.store->read([](store::Reader& reader) {
    return mailbox::find_mailbox(reader, Server::kAccount, "INBOX")->id;
  }));
  for (int done = 0; done < kMessages; done += 500) {
    std::vector<mailbox::NewMessage> messages;
    for (int i = 0; i < 50; ++i) {
      auto text = typical_message(done + i);
      auto writer = server.store->stage();
      (void)server.loop.run(writer->append(text));
      auto& message = messages.emplace_back();
      message.body = server.loop.run(writer->finish()).value();
      message.digest = mailbox::make_digest("", text);
      message.system_flags = i % 3 == 0 ? mailbox::kSeen : 0;
    }
    server.transact([&](store::Transaction& tx) -> Result<void> {
      for (int copy = 0; copy < 10; ++copy) {
        for (auto& message : messages) {
          TRY_DO(mailbox::deliver(tx, Server::kAccount, inbox, message, server.loop.now()));
        }
      }
      return {};
    });
  }
}

void measure(Server& server, Client& client, std::string_view command,
             double messages = kMessages) {
  client.send("x " + std::string(command) + "\r\n");
  std::string tail;
  std::size_t bytes = 0;
  auto begin = cpu_seconds();
  server.until([&] {
    auto part = client.stream().take_written();
    bytes += part.size();
    tail =
        (tail + part).substr(tail.size() + part.size() > 200 ? tail.size() + part.size() - 200 : 0);
    return tail.find("\r\nx OK") != std::string::npos || tail.starts_with("x OK");
  });
  auto seconds = cpu_seconds() - begin;
  fmt::print("{:60} {:10.0f}/s {:8.3f} s {:6.1f} MB\n", command, messages / seconds, seconds,
             static_cast<double>(bytes) / 1e6);
}

}  // namespace

int main() {
  Server server;
  fill(server);
  Client client(server);
  client.login();
  measure(server, client, "SELECT INBOX");
  for (int i = 0; i < 2; ++i) {
    measure(server, client, "FETCH 1:* (UID FLAGS)");
    measure(server, client, "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)");
    measure(server, client, "FETCH 1:* ENVELOPE");
    measure(server, client,
            "FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date "
            "Message-ID References Content-Type)])");
    measure(server, client, "FETCH 1:* BODYSTRUCTURE");
    measure(server, client, "FETCH 1:10000 BODY.PEEK[]", 10'000);
    measure(server, client, "SEARCH UNSEEN");
    measure(server, client, "SEARCH SUBJECT nothing");
    measure(server, client, "SEARCH BODY nothing");
    measure(server, client, "STORE 1:* +FLAGS.SILENT (\\Flagged)");
    measure(server, client, "STORE 1:* -FLAGS (\\Flagged)");
    measure(server, client, "NOOP", 1);
  }
  return 0;
}
