// Messages of every size: stored as they came, in bounded memory.
#include <algorithm>
#include <doctest/doctest.h>

#include "base/started.h"
#include "dns/fake_resolver.h"
#include "mailbox/digest.h"
#include "receive/receiver.h"
#include "receive/receiving_world_test.h"

namespace hikyaku::receive {
namespace {

using Fixture = ReceivingWorld;

TEST_CASE("messages of every size are stored as they came, however they are cut") {
  Fixture f;
  std::size_t count = 0;
  for (std::size_t size : {0, 1, 2, 100, 32'760, 262'144, 262'145, 3'000'000}) {
    for (std::size_t piece : {1, 5, 16'384}) {
      if (size > 50'000 && piece < 100) continue;
      std::string message = "Subject: x\r\n\r\n" + std::string(size, 'y');
      if (size < 20) message = std::string("\r\n\r\n").substr(0, size * 2) + std::string(size, 'z');
      REQUIRE(
          f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), message, piece)
              .positive());
      auto mails = f.inbox(f.bob.id);
      REQUIRE(mails.size() == ++count);
      auto& mail = mails.back();
      CHECK(mail.bytes.size() == mail.record.size);
      CHECK(mail.bytes.ends_with(message));
      auto digest = mailbox::make_digest(mail.record.prefix, message);
      CHECK(mail.record.digest.body_structure == digest.body_structure);
      CHECK(mail.record.digest.envelope == digest.envelope);
    }
  }
}

TEST_CASE("a large message is not in memory any more while it is written") {
  Fixture f;
  auto take_all = [](Semaphore& permits) -> Task<bool> {
    auto all = co_await permits.acquire(SIZE_MAX);
    co_return true;
  };
  int free = 0;
  f.store.before_step = [&] {
    Started<bool> taken(take_all(f.large_messages));
    if (taken.value()) ++free;
  };
  auto message = "From: <anna@alpha.test>\r\n\r\n" + std::string(3'000'000, 'x');
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"team@alpha.test"}), message)
            .positive());
  CHECK(free == 1);
  CHECK(f.inbox(f.bob.id).size() == 1);
  // It waits for room.
  std::optional<Semaphore::Permit> taken(f.loop.run(f.large_messages.acquire(SIZE_MAX)));
  auto later = f.loop.after(std::chrono::seconds(5), [&] { taken.reset(); });
  auto began = f.loop.now();
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}), message)
            .positive());
  CHECK(f.loop.now() - began == std::chrono::seconds(5));
}

TEST_CASE("a message on its way says what it holds in memory") {
  Fixture f;
  dns::FakeResolver dns("");
  f.receiver =
      make_receiver(f.settings, {f.store, f.pool, f.loop, f.random, f.large_messages, &dns}, {});
  auto peer = f.server();
  auto envelope = Fixture::envelope("x@beta.test", {"bob@alpha.test"});
  auto header = "Subject: " + std::string(50'000, 'x') + "\r\n\r\n";
  auto held = [&] {
    auto incoming = f.receiver->begin(peer, envelope);
    f.loop.run(incoming->append(header));
    return incoming->memory();
  };
  auto unchecked = held();
  CHECK(unchecked >= 2 * header.size());  // the header, and the message while it is small
  peer.client = f.receiver->meet(peer.endpoint.address);
  f.loop.run(f.receiver->check_sender(peer, envelope.from));
  CHECK(held() >= unchecked + 2 * header.size());  // and for DKIM and ARC
}

TEST_CASE("the header limit does not depend on how the network cuts") {
  Fixture f;
  f.settings.max_header = 100;
  f.make_receiver();
  for (std::size_t length : {100, 101}) {
    auto header = "From: anna@alpha.test\r\nSubject: " + std::string(length - 36, 'x') + "\r\n\r\n";
    REQUIRE(header.size() == length);
    for (std::size_t piece : {1, 7, 1000}) {
      auto reply = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}),
                          header + std::string(300, 'b'), piece);
      CHECK(reply.code == (header.size() <= 100 ? 250 : 552));
      // Others too: results that claim to be ours may stand where nobody looks.
      CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), header + "b",
                   piece)
                .code == reply.code);
    }
  }
}

}  // namespace
}  // namespace hikyaku::receive
