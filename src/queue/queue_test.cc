#include "queue/queue.h"

#include <doctest/doctest.h>

#include "queue/rows.h"
#include "queue/tables.h"
#include "store/index_error.h"
#include "store/memory_transaction.h"

namespace hikyaku::queue {
namespace {

const Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);
constexpr milliseconds kMinute = std::chrono::minutes(1);

struct Fixture {
  store::MemoryTransaction tx;
  MessageId id = story::make_message_id(kNow, 7);

  void add(std::vector<std::string> recipients) {
    Message message;
    message.id = id;
    message.prefix = "Received: x\r\n";
    message.size = 100;
    message.mail_from = "anna@alpha.test";
    message.eight_bit = true;
    message.arrived = kNow;
    std::vector<Entry> entries;
    for (auto& recipient : recipients) {
      Entry entry;
      entry.recipient = recipient;
      entry.destination = recipient.substr(recipient.find('@') + 1);
      entry.next_attempt = kNow;
      entry.notify = kNotifyDefault;
      entries.push_back(entry);
    }
    tx.begin();
    queue::add(tx, message, store::MemoryTransaction::stage(87), entries);
  }
  std::size_t due_at(Time time) { return due(tx, time, 100).entries.size(); }
};

TEST_CASE("what is added comes back as it was and is due") {
  Fixture f;
  f.add({"bob@beta.test", "carl@gamma.test"});
  auto message = get_message(f.tx, f.id);
  REQUIRE(message);
  CHECK(message->mail_from == "anna@alpha.test");
  CHECK(message->eight_bit);
  CHECK(message->arrived == kNow);
  CHECK(message->prefix == "Received: x\r\n");
  auto found = due(f.tx, kNow, 100);
  REQUIRE(found.entries.size() == 2);
  CHECK(found.entries[1].recipient == "carl@gamma.test");
  CHECK(found.entries[1].number == 1);
  CHECK(f.due_at(kNow - kMinute) == 0);
  CHECK(due(f.tx, kNow - kMinute, 100).next == kNow);
}

TEST_CASE("what the queue holds is counted, also in a store that did not keep the number") {
  Fixture f;
  CHECK(totals(f.tx).entries == 0);
  f.add({"bob@beta.test", "carl@gamma.test"});
  CHECK(totals(f.tx).entries == 2);
  CHECK(totals(f.tx).bytes == 100);
  SUBCASE("as it was kept") {}
  SUBCASE("as an older version left it") {
    f.tx.erase(store::Key(store::kInstance, kTableTotals));
    CHECK(totals(f.tx).entries == 2);
    CHECK(totals(f.tx).bytes == 100);
  }
  CHECK(finish(f.tx, f.id, 0));
  CHECK(totals(f.tx).entries == 1);
  CHECK(totals(f.tx).bytes == 100);
  CHECK(finish(f.tx, f.id, 1));
  CHECK(totals(f.tx).entries == 0);
  CHECK(totals(f.tx).bytes == 0);
}

TEST_CASE(
    "what the sender said about notices comes back, and older rows say that it said nothing") {
  using smtp::Notify;
  for (auto& notify :
       {std::optional<Notify>{}, std::optional(Notify{}), std::optional(Notify{.success = true}),
        std::optional(Notify{.delay = true}), std::optional(Notify{.failure = true, .delay = true}),
        std::optional(Notify{.success = true, .failure = true, .delay = true})}) {
    Entry entry;
    entry.notify = notify_bits(notify);
    CHECK(notify_of(entry) == notify);
  }
  Entry entry;
  entry.recipient = entry.original = "b@x.test";
  CHECK(!original_recipient(entry));
  entry.original = "list@x.test";
  CHECK(original_recipient(entry) == smtp::OriginalRecipient{"rfc822", "list@x.test"});
  entry.original = "\xC3\xBC@x.test";
  CHECK(original_recipient(entry)->type == "utf-8");
  entry.original_type = "X400";
  CHECK(original_recipient(entry)->type == "X400");

  store::MemoryTransaction tx;
  tx.begin();
  for (auto ret : {std::optional<smtp::Return>{}, std::optional(smtp::Return::Full),
                   std::optional(smtp::Return::Headers)}) {
    Message message;
    message.id = 1;
    message.ret = ret;
    message.envelope_id = "a b+c";
    entry.notice = Notice::Expanded;
    add(tx, message, store::MemoryTransaction::stage(1), {entry});
    CHECK(get_message(tx, 1)->ret == ret);
    CHECK(get_message(tx, 1)->envelope_id == "a b+c");
    CHECK(get_entry(tx, 1, 0)->original_type == "X400");
    CHECK(get_entry(tx, 1, 0)->notice == Notice::Expanded);
  }
  // A row without the last two fields.
  auto key = store::Key(store::kInstance, kTableEntry).u64(1).u32(0);
  auto row = *tx.get(key);
  row.resize(row.size() - 6);
  tx.put(key, row);
  auto old = get_entry(tx, 1, 0);
  CHECK(old->original == "\xC3\xBC@x.test");
  CHECK(old->original_type.empty());
  CHECK(old->notice == Notice::Failed);
}

TEST_CASE("an entry that is being attempted is not due, and a deferred one is due later") {
  Fixture f;
  f.add({"bob@beta.test"});
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow + kMinute));
  CHECK(f.due_at(kNow) == 0);
  CHECK(begin_attempt(f.tx, f.id, 0, kNow).error().code == ErrorCode::Conflict);
  REQUIRE(defer(f.tx, f.id, 0, kNow + 5 * kMinute, "mx.beta.test", "451 later"));
  CHECK(f.due_at(kNow + 4 * kMinute) == 0);
  REQUIRE(f.due_at(kNow + 5 * kMinute) == 1);
  auto entry = get_entry(f.tx, f.id, 0);
  CHECK(entry->attempts == 1);
  CHECK(entry->last_reply == "451 later");
}

TEST_CASE("an abandoned attempt does not count") {
  Fixture f;
  f.add({"bob@beta.test"});
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow));
  REQUIRE(abandon_attempt(f.tx, f.id, 0, kNow));
  CHECK(get_entry(f.tx, f.id, 0)->attempts == 0);
  CHECK(f.due_at(kNow) == 1);
}

TEST_CASE("held entries wait for release or retry") {
  Fixture f;
  f.add({"bob@beta.test"});
  REQUIRE(hold(f.tx, f.id, 0, "suspicious"));
  CHECK(f.due_at(kNow + 100 * kMinute) == 0);
  CHECK(begin_attempt(f.tx, f.id, 0, kNow).error().code == ErrorCode::Conflict);
  REQUIRE(release(f.tx, f.id, 0, kNow + kMinute));
  CHECK(f.due_at(kNow + kMinute) == 1);
  REQUIRE(hold(f.tx, f.id, 0, "again"));
  REQUIRE(retry_now(f.tx, f.id, 0, kNow));
  CHECK(f.due_at(kNow) == 1);
}

TEST_CASE("an entry that is held while it is attempted is never attempted twice at once") {
  Fixture f;
  f.add({"bob@beta.test"});
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow + kMinute));
  REQUIRE(hold(f.tx, f.id, 0, "by hand"));
  REQUIRE(release(f.tx, f.id, 0, kNow));
  REQUIRE(retry_now(f.tx, f.id, 0, kNow));
  CHECK(f.due_at(kNow + kMinute) == 0);
  REQUIRE(hold(f.tx, f.id, 0, "by hand"));
  REQUIRE(defer(f.tx, f.id, 0, kNow + kMinute, "mx.beta.test", "451 later"));
  CHECK(f.due_at(kNow + kMinute) == 0);  // the attempt's end does not release it
  CHECK(get_entry(f.tx, f.id, 0)->state == State::Held);
  REQUIRE(release(f.tx, f.id, 0, kNow));
  CHECK(f.due_at(kNow) == 1);
}

TEST_CASE("with its last entry the message and its body go") {
  Fixture f;
  f.add({"bob@beta.test", "carl@gamma.test"});
  auto blob = get_message(f.tx, f.id)->blob;
  REQUIRE(finish(f.tx, f.id, 0));
  CHECK(get_message(f.tx, f.id));
  CHECK(f.tx.bodies().at(blob).owners.size() == 1);
  REQUIRE(finish(f.tx, f.id, 1));
  CHECK(!get_message(f.tx, f.id));
  CHECK(f.tx.bodies().at(blob).owners.empty());
  CHECK(f.tx.keys().empty());
  CHECK(finish(f.tx, f.id, 1).error().code == ErrorCode::NotFound);
}

TEST_CASE("an entry that brings the server down three times is held") {
  Fixture f;
  f.add({"bob@beta.test"});
  for (int crash = 1; crash <= 3; ++crash) {
    REQUIRE(begin_attempt(f.tx, f.id, 0, kNow));
    auto held = recover_interrupted(f.tx, kNow);
    CHECK(held.size() == (crash == 3 ? 1 : 0));
  }
  CHECK(get_entry(f.tx, f.id, 0)->state == State::Held);
  // Every start gives it until its owner knows.
  CHECK(recover_interrupted(f.tx, kNow).size() == 1);
  REQUIRE(mark_hold_told(f.tx, f.id, 0));
  CHECK(recover_interrupted(f.tx, kNow).empty());
  CHECK(get_entry(f.tx, f.id, 0)->state == State::Held);
  // A proper end of an attempt starts the count anew.
  REQUIRE(release(f.tx, f.id, 0, kNow));
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow));
  CHECK(recover_interrupted(f.tx, kNow).empty());
}

TEST_CASE("an entry whose row cannot be read keeps none of the others") {
  Fixture f;
  f.add({"a@beta.test", "b@beta.test", "c@beta.test"});
  f.tx.before_get = [damaged = entry_key(f.id, 1).bytes()](std::string_view key) {
    if (key == damaged) throw store::IndexError("a block is damaged");
  };
  auto found = due(f.tx, kNow, 100);
  CHECK(found.entries.size() == 2);
  CHECK(found.unreadable == std::set<EntryId>{{f.id, 1}});
  // Who knows it leaves its place to the others.
  CHECK(due(f.tx, kNow, 1).entries[0].number == 0);
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow));
  CHECK(due(f.tx, kNow, 1).entries.empty());
  found = due(f.tx, kNow, 1, {{f.id, 1}});
  CHECK(found.unreadable.empty());
  REQUIRE(found.entries.size() == 1);
  CHECK(found.entries[0].number == 2);

  // What a crash has left.
  f.tx.before_get = nullptr;
  REQUIRE(begin_attempt(f.tx, f.id, 1, kNow));
  f.tx.before_get = [damaged = entry_key(f.id, 0).bytes()](std::string_view key) {
    if (key == damaged) throw store::IndexError("a block is damaged");
  };
  CHECK(expired_attempts(f.tx, kNow, {}, 100) == std::vector<EntryId>{{f.id, 1}});
  CHECK(recover_interrupted(f.tx, kNow).empty());
  CHECK(get_entry(f.tx, f.id, 1)->interrupted == 1);
  f.tx.before_get = nullptr;
  CHECK(get_entry(f.tx, f.id, 0)->attempting);
}

TEST_CASE("nothing becomes due where nobody looks any more") {
  Fixture f;
  f.add({"bob@beta.test"});
  set_low_water(f.tx, kNow);
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow));
  // The clock was set back: the entry must still be found.
  REQUIRE(defer(f.tx, f.id, 0, kNow - std::chrono::hours(5), "", ""));
  CHECK(f.due_at(kNow) == 1);
}

TEST_CASE("a clock that was set back keeps nothing waiting for the time that it had") {
  Fixture f;
  auto ahead = kNow + std::chrono::hours(24 * 400);
  f.add({"a@beta.test", "b@beta.test", "c@beta.test"});
  REQUIRE(defer(f.tx, f.id, 0, ahead + kMinute, "", ""));
  REQUIRE(defer(f.tx, f.id, 1, ahead + 2 * kMinute, "", ""));
  REQUIRE(defer(f.tx, f.id, 2, kNow + 5 * kMinute, "", ""));
  set_low_water(f.tx, kNow + kMinute);
  auto seen = due(f.tx, kNow, 100);
  CHECK(seen.entries.empty());
  CHECK(seen.last == ahead + 2 * kMinute);
  CHECK(seen.low_water == kNow + kMinute);
  auto latest = kNow + std::chrono::hours(1);
  CHECK_FALSE(draw_back(f.tx, kNow, latest, 1));
  CHECK_FALSE(draw_back(f.tx, kNow, latest, 1));
  CHECK(draw_back(f.tx, kNow, latest, 1));
  CHECK(f.due_at(kNow) == 2);
  CHECK(due(f.tx, kNow, 100).last == kNow + 5 * kMinute);  // not beyond what is usual: as it was
  CHECK(due(f.tx, kNow, 100).low_water == kNow);
}

TEST_CASE("what an attempt finds damaged is held, and its owner is to be told") {
  Fixture f;
  f.add({"a@beta.test"});
  REQUIRE(begin_attempt(f.tx, f.id, 0, kNow));
  REQUIRE(hold_attempted(f.tx, f.id, 0, kUnreadable));
  auto entry = get_entry(f.tx, f.id, 0);
  REQUIRE(entry);
  CHECK(entry->state == State::Held);
  CHECK_FALSE(entry->attempting);
  CHECK(f.due_at(kNow) == 0);
  CHECK(recover_interrupted(f.tx, kNow).size() == 1);  // not told yet
  REQUIRE(mark_hold_told(f.tx, f.id, 0));
  CHECK(recover_interrupted(f.tx, kNow).empty());
  REQUIRE(release(f.tx, f.id, 0, kNow));
  CHECK(f.due_at(kNow) == 1);
}

TEST_CASE("listing goes on behind the last message") {
  Fixture f;
  f.add({"a@x.test", "b@x.test", "c@x.test"});
  CHECK(list(f.tx, 0, 2).size() == 3);  // whole messages only
  CHECK(list(f.tx, f.id, 2).empty());
}

TEST_CASE("the low-water mark never passes an entry that is due") {
  Fixture f;
  // Its message began to come an hour before it was accepted, and before somebody looked.
  f.add({"x@beta.test"});
  set_low_water(f.tx, kNow + 60 * kMinute);
  CHECK(due(f.tx, kNow + 60 * kMinute, 10).entries.size() == 1);
}

TEST_CASE("a postponed entry waits without an attempt") {
  Fixture f;
  f.add({"x@beta.test"});
  REQUIRE(postpone(f.tx, f.id, 0, kNow + kMinute));
  CHECK(due(f.tx, kNow, 10).entries.empty());
  auto later = due(f.tx, kNow + kMinute, 10).entries;
  REQUIRE(later.size() == 1);
  CHECK(later[0].attempts == 0);
}

}  // namespace
}  // namespace hikyaku::queue
