// What many recipients and many passages cost, counted in rows: anybody may send them.
#include "receive/plan.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "receive/receiving_world_test.h"

namespace hikyaku::receive {
namespace {

/// A list of many accounts and of many addresses elsewhere, and one that leads to it by two ways.
struct Fixture : ReceivingWorld {
  static constexpr std::size_t kHere = 120, kElsewhere = 80;

  Fixture() {
    change([&](store::Transaction& tx) -> Result<void> {
      std::vector<std::string> targets;
      for (std::size_t i = 0; i < kHere; ++i) {
        targets.push_back(fmt::format("p{}@alpha.test", i));
        TRY_DO(auth::add_account(tx, targets.back(), "", Language::English, false, loop.now()));
      }
      for (std::size_t i = 0; i < kElsewhere; ++i)
        targets.push_back(fmt::format("u{}@beta.test", i));
      TRY_DO(auth::add_alias(tx, "list@alpha.test", targets));
      return auth::add_alias(tx, "lists@alpha.test", {"list+a@alpha.test", "list+b@alpha.test"});
    });
  }

  /// `name`+1@alpha.test and so on.
  static std::vector<std::string> detailed(std::string_view name, std::size_t count) {
    std::vector<std::string> recipients;
    for (std::size_t i = 0; i < count; ++i)
      recipients.push_back(fmt::format("{}+{}@alpha.test", name, i));
    return recipients;
  }
  /// What is read between here and the answer.
  store::MemoryStore::Reads reads_of(const std::vector<std::string>& recipients,
                                     std::string_view message) {
    store.reads = {};
    CHECK(send(server(), envelope("x@beta.test", recipients), message).positive());
    return store.reads;
  }
  std::size_t inboxes() {
    std::size_t count = 0;
    for (auto& account : auth::list_accounts(store.keys())) count += inbox(account.id).size();
    return count;
  }
};

TEST_CASE("one list by a thousand names is followed once, at RCPT and after the data") {
  for (std::string_view name : {"list", "lists"}) {
    Fixture f;
    auto recipients = Fixture::detailed(name, 1'000);
    for (auto& address : recipients)
      CHECK(!f.loop.run(f.receiver->check_recipient(f.server(), Fixture::mailbox(address), 0)));
    CHECK(f.store.reads.rows < 1'000 * 10 + 1'000);
    auto reads = f.reads_of(recipients, kMessage);
    CHECK(reads.rows < 1'000 * 6 + 1'000);
    CHECK(f.inboxes() == Fixture::kHere);
    CHECK(f.queued().size() == Fixture::kElsewhere);
    // Nor does one read, or what follows it, take long.
    CHECK(reads.count > 4);
    CHECK(reads.most_rows < kPlannedAtOnce + 1'000);
  }
}

TEST_CASE("who names a list again may wish for other notices") {
  Fixture f;
  auto envelope = Fixture::envelope("x@beta.test", Fixture::detailed("list", 4));
  envelope.recipients[0].parameters.notify = smtp::Notify{};
  envelope.recipients[1].parameters.notify = smtp::Notify{};
  envelope.recipients[2].parameters.notify = smtp::Notify{.delay = true};
  envelope.recipients[3].parameters.notify = smtp::Notify{.success = true, .failure = true};
  CHECK(f.send(f.server(), envelope, kMessage).positive());
  auto queued = f.queued();
  std::size_t confirmed = 0;
  for (auto& entry : queued) {
    confirmed += entry.destination == queue::kNotice;
    if (entry.destination == queue::kNotice) continue;
    smtp::Notify both{.success = false, .failure = true, .delay = true};
    CHECK(entry.notify == queue::notify_bits(both));
  }
  CHECK(confirmed == 1);  // that the list was expanded
  CHECK(queued.size() == Fixture::kElsewhere + 1);
}

TEST_CASE("what a header claims of earlier passages costs a few looks, whoever is named") {
  Fixture f;
  // A story with much in it, that anybody knows who has sent to the list.
  f.reads_of({"list@alpha.test"}, kMessage);
  auto story = f.last;
  f.change([&](store::Transaction& tx) -> Result<void> {
    for (int i = 0; i < 300; ++i)
      story::record_note(tx, story, fmt::format("tried {} times", i), f.loop.now());
    return {};
  });
  auto passage = [](std::string_view address, story::MessageId id) {
    return fmt::format("Delivered-To: {}\r\nReceived: by mx.alpha.test with ESMTP id {}; now\r\n",
                       address, story::to_text(id));
  };
  std::string same, others;
  for (std::uint64_t i = 0; i < 90; ++i) {
    same += passage("away@alpha.test", story);
    others += passage("away@alpha.test", story + i);
  }
  std::vector<std::string> recipients{"away@alpha.test"};
  for (int i = 0; i < 50; ++i) recipients.push_back(fmt::format("away+{}@alpha.test", i));
  auto plain = f.reads_of(recipients, kMessage);
  CHECK(f.reads_of(recipients, same + std::string(kMessage)).rows <= plain.rows + 1);
  CHECK(f.reads_of(recipients, others + std::string(kMessage)).rows <= plain.rows + kMostPassages);
  // What is true among them is found all the same.
  REQUIRE(f.send(f.server(), Fixture::envelope("x@beta.test", {"away@alpha.test"}), kMessage)
              .positive());
  auto told = same + passage("away@alpha.test", f.last) + others + std::string(kMessage);
  auto reply = f.send(f.server(), Fixture::envelope("x@beta.test", {"away@alpha.test"}), told);
  CHECK(reply.to_string().starts_with("554 5.4.6"));
}

TEST_CASE("many who cannot have it are told apart from many who can") {
  Fixture f;
  std::vector<std::string> recipients{"anna@alpha.test"};
  for (int i = 0; i < 400; ++i) recipients.push_back(fmt::format("nobody{}@alpha.test", i));
  // Nobody could be told: it is to come again without those.
  auto reply = f.send(f.server(), Fixture::envelope("", recipients), kMessage);
  CHECK(reply.code == 452);
  CHECK(reply.text.contains("nobody0@alpha.test"));
  CHECK(f.inboxes() == 0);
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", recipients), kMessage).positive());
  CHECK(f.inboxes() == 1);
  CHECK(f.queued().size() == 400);  // bounces
}

}  // namespace
}  // namespace hikyaku::receive
