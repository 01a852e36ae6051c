#include "mailbox/mailboxes.h"

#include <doctest/doctest.h>

#include "mailbox/change.h"
#include "mailbox/mailbox_fixture_test.h"
#include "mailbox/tables.h"

namespace hikyaku::mailbox {
namespace {

constexpr std::string_view kStandard = "INBOX Archive Drafts Junk Sent Trash";

ErrorCode code(const auto& result) {
  return result ? ErrorCode::Internal : result.error().code;
}

TEST_CASE("a new account has the mailboxes that clients expect, in its language") {
  TestAccount english;
  CHECK(english.paths() == kStandard);
  CHECK(english.info("Junk").role == Role::Junk);
  CHECK(english.info("Junk").subscribed);
  CHECK(find_role(english.memory, TestAccount::kId, Role::Sent)->path == "Sent");

  store::MemoryTransaction memory;
  create_standard_mailboxes(memory, 1, Language::Japanese, Time{});
  CHECK(find_role(memory, 1, Role::Junk)->path == "迷惑メール");
  CHECK(find_role(memory, 1, Role::Trash)->path == "ゴミ箱");
  auto before = memory.keys();
  memory.begin();
  create_standard_mailboxes(memory, 1, Language::English, Time{});
  CHECK(memory.keys() == before);
}

TEST_CASE("creating makes the levels above") {
  TestAccount account;
  auto made = account.create("work/2026/nov");
  REQUIRE(made);
  CHECK(made->path == "work/2026/nov");
  CHECK(account.paths() == std::string(kStandard) + " work work/2026 work/2026/nov");
  for (const auto& one : list_mailboxes(account.memory, TestAccount::kId))
    CHECK(one.has_children == (one.path == "work" || one.path == "work/2026"));
  CHECK(account.memory.notified().contains({TestAccount::kId, kTopicMailboxes}));
  CHECK(code(account.create("work")) == ErrorCode::Exists);
  CHECK(code(account.create("iNbOx")) == ErrorCode::Exists);
  CHECK(code(account.create("a//b")) == ErrorCode::Invalid);
  CHECK(code(account.create("x", Role::Junk)) == ErrorCode::Conflict);
  CHECK(account.id("x") == 0);
  CHECK(account.check() == "");
}

TEST_CASE("uidvalidity never comes again under a name") {
  TestAccount account;
  account.create("a");
  auto first = account.info("a").uid_validity;
  account.remove("a");
  account.create("a");
  auto second = account.info("a").uid_validity;
  CHECK(second > first);
  account.create("b");
  account.rename("a", "c");
  account.create("a");
  CHECK(account.info("a").uid_validity > second);
  CHECK(account.info("c").uid_validity == second);
}

TEST_CASE("renaming takes children, subscription and role along") {
  TestAccount account;
  account.create("a/b/c");
  auto b = account.id("a/b");
  account.run(
      [&](auto& tx) { return subscribe_mailbox(tx, TestAccount::kId, "a/b", true, account.now); });
  REQUIRE(account.rename("a/b", "x/y"));
  CHECK(account.paths() == std::string(kStandard) + " a x x/y x/y/c");
  CHECK(account.id("x/y") == b);
  CHECK(account.info("x/y").subscribed);
  CHECK(orphaned_subscriptions(account.memory, TestAccount::kId).empty());
  CHECK(code(account.rename("x", "x/y/z")) == ErrorCode::Invalid);
  CHECK(code(account.rename("x", "x")) == ErrorCode::Exists);
  CHECK(code(account.rename("nothing", "z")) == ErrorCode::NotFound);
  REQUIRE(account.rename("Sent", "Gesendet"));
  CHECK(find_role(account.memory, TestAccount::kId, Role::Sent)->path == "Gesendet");
  CHECK(account.check() == "");
}

TEST_CASE("a tree never becomes deeper than a path may be") {
  TestAccount account;
  std::string deep = "a";
  for (int i = 1; i < kMaxMailboxDepth; ++i) deep += "/a";
  REQUIRE(account.create(deep));
  CHECK(code(account.rename("a", "b/c")) == ErrorCode::Invalid);
  CHECK(account.rename("a", "b"));
}

TEST_CASE("an account has so many mailboxes, levels above included, and room again when one goes") {
  TestAccount account;
  auto fill = [&](std::size_t count) {  // as if the others were there
    account.run([&](auto& tx) -> Result<void> {
      Change change(tx, TestAccount::kId, account.now);
      change.row().mailboxes = static_cast<std::uint32_t>(count);
      change.finish();
      return {};
    });
  };
  fill(kMaxMailboxes - 3);
  CHECK(code(account.create("a/b/c/d")) == ErrorCode::TooLarge);
  CHECK(account.id("a") == 0);  // not half of it
  REQUIRE(account.create("a/b/c"));
  CHECK(code(account.create("e")) == ErrorCode::TooLarge);
  CHECK(code(account.rename("a/b/c", "a/f/c")) == ErrorCode::TooLarge);
  CHECK(code(account.rename("INBOX", "old")) == ErrorCode::TooLarge);
  REQUIRE(account.rename("a/b/c", "a/b/g"));
  REQUIRE(account.remove("a/b/g"));
  CHECK(account.create("e"));
}

TEST_CASE("renaming INBOX moves its messages and leaves it empty, with its children") {
  TestAccount account;
  account.create("INBOX/child");
  account.put("INBOX");
  account.put("INBOX", kSeen);
  auto before = account.info("INBOX");
  auto change = account_change(account.memory, TestAccount::kId);
  REQUIRE(account.rename("inbox", "old/mail"));
  CHECK(account.paths() == "INBOX INBOX/child Archive Drafts Junk Sent Trash old old/mail");
  CHECK(account.uids("old/mail") == std::vector<Uid>{1, 2});
  CHECK(account.info("old/mail").role == Role::None);
  CHECK(account.info("old/mail").uid_validity != before.uid_validity);
  CHECK(account.counters("INBOX").total == 0);
  // To a session in INBOX it is as if all had been expunged: same UIDVALIDITY, UIDs go on.
  CHECK(account.info("INBOX").uid_validity == before.uid_validity);
  CHECK(account.info("INBOX").role == Role::Inbox);
  CHECK(changes_since(account.memory, TestAccount::kId, account.id("INBOX"), change)->destroyed ==
        NumberSet{1, 2});
  CHECK(account.put("INBOX") == 3);
  CHECK(account.check() == "");
}

TEST_CASE("deleting") {
  TestAccount account;
  CHECK(code(account.remove("INBOX")) == ErrorCode::Denied);
  CHECK(code(account.remove("nothing")) == ErrorCode::NotFound);
  account.create("a/b");
  account.put("a");
  account.put("a/b");
  auto id = account.id("a");

  SUBCASE("a parent stays as a name until its last child goes") {
    auto change = account.counters("a/b").highest_change;
    REQUIRE(account.remove("a"));
    CHECK(account.counters("a/b").highest_change == change);  // nobody needs to look at it again
    CHECK(account.paths() == std::string(kStandard) + " a! a/b");
    CHECK(account.id("a") != id);  // RFC 8474: another mailbox
    CHECK(account.uids("a").empty());
    CHECK(code(account.remove("a")) == ErrorCode::Denied);
    REQUIRE(account.remove("a/b"));
    CHECK(account.paths() == kStandard);
  }
  SUBCASE("a name that only holds others can become a mailbox again") {
    REQUIRE(account.remove("a"));
    REQUIRE(account.create("a"));
    CHECK(account.paths() == std::string(kStandard) + " a a/b");
    CHECK(account.put("a") == 1);
  }
  SUBCASE("renaming the last child away") {
    REQUIRE(account.remove("a"));
    REQUIRE(account.rename("a/b", "c"));
    CHECK(account.paths() == std::string(kStandard) + " c");
  }
  CHECK(account.check() == "");
}

TEST_CASE("a large mailbox is erased in pieces, but counts no more at once") {
  TestAccount account;
  account.create("big");
  account.run([&](auto& tx) {
    for (int i = 0; i < 2'500; ++i)
      (void)deliver(tx, TestAccount::kId, account.id("big"), TestAccount::message(10), account.now);
    return Result<void>{};
  });
  CHECK(usage(account.memory, TestAccount::kId).bytes == 25'000);
  REQUIRE(account.remove("big"));
  CHECK(account.memory.writes() < 20);
  CHECK(usage(account.memory, TestAccount::kId).bytes == 0);
  CHECK(account.id("big") == 0);
  CHECK(account.check() == "");
  CHECK(account.work_off_all() == 10);
  CHECK(account.check() == "");
  for (const auto& [blob, body] : account.memory.bodies()) CHECK(body.owners.empty());
}

TEST_CASE("subscriptions outlive their mailbox, until unsubscribed") {
  TestAccount account;
  account.create("a");
  auto subscribe = [&](std::string_view path, bool on) {
    return account.run(
        [&](auto& tx) { return subscribe_mailbox(tx, TestAccount::kId, path, on, account.now); });
  };
  CHECK(code(subscribe("nothing", true)) == ErrorCode::NotFound);
  REQUIRE(subscribe("a", true));
  account.remove("a");
  CHECK(orphaned_subscriptions(account.memory, TestAccount::kId) == std::vector<std::string>{"a"});
  account.create("a");
  CHECK(account.info("a").subscribed);
  CHECK(orphaned_subscriptions(account.memory, TestAccount::kId).empty());
  account.remove("a");
  REQUIRE(subscribe("a", false));
  CHECK(orphaned_subscriptions(account.memory, TestAccount::kId).empty());
  CHECK(subscribe("nothing", false));

  // Not without end.
  for (std::size_t i = 0; i < kMostOrphanedSubscriptions + 5; ++i) {
    auto path = "box" + std::to_string(i);
    account.create(path);
    REQUIRE(subscribe(path, true));
    account.remove(path);
  }
  CHECK(orphaned_subscriptions(account.memory, TestAccount::kId).size() ==
        kMostOrphanedSubscriptions);
}

TEST_CASE("a role goes with its mailbox, INBOX's belongs to nobody else") {
  TestAccount account;
  CHECK(code(account.create("x", Role::Inbox)) == ErrorCode::Denied);
  account.remove("Junk");
  CHECK(!find_role(account.memory, TestAccount::kId, Role::Junk));
  REQUIRE(account.create("Spam", Role::Junk));
  CHECK(find_role(account.memory, TestAccount::kId, Role::Junk)->path == "Spam");
}

TEST_CASE("each session sees \\Recent once") {
  TestAccount account;
  account.put("INBOX");
  account.put("INBOX");
  auto claim = [&] {
    return account.run(
        [&](auto& tx) { return claim_recent(tx, TestAccount::kId, account.id("INBOX")); });
  };
  CHECK(claim() == 1);
  CHECK(claim() == 3);
  account.put("INBOX");
  CHECK(claim() == 3);
  CHECK(claim() == 4);
}

TEST_CASE("after a restore, numbers that clients may have seen are not given out again") {
  TestAccount account;
  account.create("quiet");
  account.put("INBOX");
  account.put("quiet");
  auto inbox = account.info("INBOX").uid_validity;
  auto quiet = account.info("quiet").uid_validity;
  auto change = account_change(account.memory, TestAccount::kId);
  auto email = account.list("INBOX")[0].email;
  account.memory.set_epoch(2);
  CHECK(knows_change(account.memory, TestAccount::kId, change));
  CHECK(!knows_change(account.memory, TestAccount::kId, change + 5));
  account.put("INBOX");
  // Only what gets a new UID needs another UIDVALIDITY.
  CHECK(account.info("INBOX").uid_validity > inbox + 1'000);
  CHECK(account.info("quiet").uid_validity == quiet);
  CHECK(account_change(account.memory, TestAccount::kId) == change + (2ULL << 32) + 1);
  CHECK(account.list("INBOX")[1].email > email + 1'000);
  // A client that comes with a number of the lost future has to compare everything.
  CHECK(!knows_change(account.memory, TestAccount::kId, change + 5));
  CHECK(!changes_since(account.memory, TestAccount::kId, account.id("INBOX"), change + 5));
  CHECK(changes_since(account.memory, TestAccount::kId, account.id("INBOX"), change)->created ==
        NumberSet{2});
  account.put("INBOX");
  CHECK(account_change(account.memory, TestAccount::kId) == change + (2ULL << 32) + 2);
  CHECK(account.check() == "");
}

TEST_CASE("after a restore, the first mailbox that is made has no id of the lost time") {
  TestAccount account;
  account.put("INBOX");
  auto lost = account.create("of the lost time")->id;
  REQUIRE(account.remove("of the lost time"));
  account.memory.set_epoch(2);
  SUBCASE("CREATE") {
    CHECK(account.create("new")->id > lost + 1'000);
  }
  SUBCASE("RENAME INBOX") {
    REQUIRE(account.rename("INBOX", "old"));
    CHECK(account.id("INBOX") > lost + 1'000);
  }
  CHECK(account.check() == "");
}

TEST_CASE("an epoch so far off that numbers would come round is refused, and nothing is changed") {
  TestAccount account;
  account.put("INBOX");
  auto uid_validity = account.info("INBOX").uid_validity;
  auto keys = account.memory.keys();
  for (std::uint32_t epoch : {60'000u, 40'000u << 16, UINT32_MAX}) {
    account.memory.set_epoch(epoch);
    CHECK_THROWS_AS((void)account.create("new"), std::overflow_error);
    CHECK(account.memory.keys() == keys);
  }
  account.memory.set_epoch(15'000);
  CHECK(account.create("new"));
  CHECK(account.info("new").uid_validity > uid_validity + 15'000u * 120'000u);
}

}  // namespace
}  // namespace hikyaku::mailbox
