#include "mailbox/intents.h"

#include <doctest/doctest.h>

#include "mailbox/mailbox_fixture_test.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = TestAccount::kId;

ErrorCode code(const auto& result) {
  return result ? ErrorCode::Internal : result.error().code;
}

struct LongAppend : TestAccount {
  IntentId intent = 0;
  LongAppend() {
    put("INBOX");
    intent = begin(3).value();
    REQUIRE(append(2));
  }
  Result<IntentId> begin(std::uint32_t count, std::uint64_t bytes = 0) {
    return run([&](auto& tx) { return begin_append(tx, kId, id("INBOX"), count, bytes, now); });
  }
  Result<void> append(std::size_t count) {
    std::vector<NewMessage> messages(count);
    for (auto& one : messages) one = message(50, kSeen, {"k"});
    return run([&](auto& tx) { return append_piece(tx, kId, intent, messages, now); });
  }
  Result<Published> publish_it() {
    return run([&](auto& tx) { return publish(tx, kId, intent, now); });
  }
};

TEST_CASE("a long append is seen all at once, behind what came meanwhile") {
  LongAppend account;
  auto since = account_change(account.memory, kId);
  CHECK(account.uids("INBOX") == std::vector<Uid>{1});
  CHECK(account.counters("INBOX").total == 1);
  CHECK(account.put("INBOX") == 2);
  REQUIRE(account.append(1));
  auto published = account.publish_it();
  REQUIRE(published);
  CHECK(published->count == 3);
  CHECK(account.uids("INBOX") ==
        std::vector<Uid>{1, 2, published->first, published->first + 1, published->first + 2});
  CHECK(account.counters("INBOX").total == 5);
  CHECK(account.counters("INBOX").unseen == 2);
  CHECK(account.put("INBOX") == published->first + 3);
  // A CONDSTORE client that asks from before learns of all of them.
  for (const auto& row : account.list("INBOX")) CHECK((row.uid == 1 || row.changed > since));
  auto changes = changes_since(account.memory, kId, account.id("INBOX"), since);
  CHECK(changes->created.count() == 5);
  CHECK(account.check() == "");
  CHECK(code(account.publish_it()) == ErrorCode::NotFound);
}

TEST_CASE("a long append that is given up leaves nothing") {
  LongAppend account;
  SUBCASE("by its session") {
    account.run([&](auto& tx) {
      abandon(tx, kId, account.intent);
      return Result<void>{};
    });
    CHECK(account.work_off_all() == 1);
  }
  SUBCASE("by a crash") {
    CHECK(account.work_off_all() == 1);  // a session may still be writing: not touched
    CHECK(code(account.begin(1)) == ErrorCode::Unavailable);
    account.abandon_all();
    CHECK(account.work_off_all() == 1);
  }
  CHECK(code(account.append(1)) == ErrorCode::NotFound);
  CHECK(code(account.publish_it()) == ErrorCode::NotFound);
  CHECK(account.uids("INBOX") == std::vector<Uid>{1});
  CHECK(account.memory.bodies().at(2).owners.empty());
  CHECK(account.check() == "");
  CHECK(account.begin(1));
}

TEST_CASE("what cannot be") {
  LongAppend account;
  CHECK(code(account.begin(1)) == ErrorCode::Unavailable);  // one at a time
  CHECK(code(account.append(2)) == ErrorCode::TooLarge);    // more than announced
  account.run([&](auto& tx) {
    set_quota(tx, kId, 150);
    return Result<void>{};
  });
  CHECK(code(account.publish_it()) == ErrorCode::QuotaExceeded);
  CHECK(account.uids("INBOX") == std::vector<Uid>{1});
  account.run([&](auto& tx) {
    set_quota(tx, kId, 0);
    return Result<void>{};
  });
  CHECK(account.publish_it());
  CHECK(account.check() == "");
}

TEST_CASE("a mailbox that is deleted while it is appended to") {
  TestAccount account;
  account.create("a");
  auto id = account.id("a");
  auto intent =
      account.run([&](auto& tx) { return begin_append(tx, kId, id, 10, 0, account.now); });
  std::vector<NewMessage> messages{TestAccount::message()};
  auto append = [&] {
    return account.run(
        [&](auto& tx) { return append_piece(tx, kId, *intent, messages, account.now); });
  };
  REQUIRE(append());
  REQUIRE(account.remove("a"));
  CHECK(code(append()) == ErrorCode::NotFound);
  account.abandon_all();
  CHECK(account.work_off_all() == 1);
  CHECK(account.check() == "");
  for (const auto& [blob, body] : account.memory.bodies()) CHECK(body.owners.empty());
}

TEST_CASE("a long copy carries flags and keeps the emails") {
  TestAccount account;
  account.put("INBOX", kSeen, {"x"});
  account.put("INBOX");
  auto id = account.id("Archive");
  auto intent =
      account.run([&](auto& tx) { return begin_append(tx, kId, id, 2, 200, account.now); });
  std::vector<Uid> uids{1, 2, 3};
  auto copied = account.run([&](auto& tx) {
    return copy_piece(tx, kId, *intent, account.id("INBOX"), uids, account.now);
  });
  REQUIRE(copied);
  CHECK(*copied == std::vector<Uid>{1, 2});
  CHECK(account.list("Archive").empty());
  auto published = account.run([&](auto& tx) { return publish(tx, kId, *intent, account.now); });
  REQUIRE(published);
  auto archive = account.list("Archive"), inbox = account.list("INBOX");
  REQUIRE(archive.size() == 2);
  CHECK(archive[0].email == inbox[0].email);
  CHECK(archive[0].flags == inbox[0].flags);
  CHECK(account.check() == "");
}

}  // namespace
}  // namespace hikyaku::mailbox
