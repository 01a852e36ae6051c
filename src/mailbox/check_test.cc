#include "mailbox/check.h"

#include <doctest/doctest.h>

#include "mailbox/change.h"
#include "mailbox/mailbox_fixture_test.h"
#include "mailbox/record.h"

using namespace hikyaku;
using namespace hikyaku::mailbox;

namespace {

constexpr AccountId kId = TestAccount::kId;

void erase(TestAccount& account, const store::Key& key) {
  REQUIRE(account.memory.get(key));
  account.run([&](auto& tx) {
    tx.erase(key);
    return 0;
  });
}

/// Until nothing is wrong any more; gives all that was told.
std::string repair(TestAccount& account) {
  std::string told;
  for (int round = 0; round < 5; ++round) {
    auto report = check_account(account.memory, kId);
    CHECK(report.lost.empty());
    if (report.problems.empty()) return told;
    for (const auto& problem : report.problems) told += problem + "\n";
    account.run([&](auto& tx) {
      for (const auto& row : report.rows)
        if (row.value)
          tx.put(row.key, *row.value);
        else
          tx.erase(row.key);
      return 0;
    });
  }
  FAIL("repairing does not end: " << told);
  return told;
}

}  // namespace

TEST_CASE("check: a message whose summary is lost stays, without its flags") {
  TestAccount account;
  for (int i = 0; i < 3; ++i) account.put("INBOX", kSeen);
  account.expunge("INBOX", {2});
  auto before = account.list("INBOX");
  erase(account, summary_key(kId, account.id("INBOX"), group_of(1)));
  auto told = repair(account);
  CHECK_MESSAGE(told.contains("has lost its flags"), told);
  auto after = account.list("INBOX");
  REQUIRE(after.size() == 2);
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].uid == before[i].uid);
    CHECK(after[i].email == before[i].email);
    CHECK(after[i].flags == 0);
  }
  CHECK(account.counters("INBOX").unseen == 2);
  CHECK(account.check() == "");
}

TEST_CASE("check: a message whose row is lost is made again from its body") {
  TestAccount account;
  auto uid = account.put("INBOX", kSeen);
  auto before = account.list("INBOX").front();
  SUBCASE("which lies elsewhere, too") {
    REQUIRE(account.copy("INBOX", {uid}, "Archive"));
  }
  SUBCASE("which lies nowhere else") {}
  erase(account, message_key(kId, account.id("INBOX"), uid));
  auto told = repair(account);
  CHECK_MESSAGE(told.contains("is made again from its body"), told);
  auto record = get_message(account.memory, kId, account.id("INBOX"), uid);
  REQUIRE(record);
  CHECK(record->email == before.email);
  CHECK(record->received == before.received);
  CHECK(account.list("INBOX").front().flags == before.flags);
  CHECK(account.check() == "");
}

TEST_CASE("check: a mailbox whose row is lost keeps its name, its role and its messages") {
  TestAccount account;
  account.put("Sent", kSeen);
  auto id = account.id("Sent");
  erase(account, mailbox_key(kId, id));
  SUBCASE("its name is there") {
    repair(account);
    CHECK(account.info("Sent").role == Role::Sent);
  }
  SUBCASE("its name is lost as well") {
    erase(account, name_key(kId, kRoot, "Sent"));
    auto told = repair(account);
    auto name = "Recovered " + std::to_string(id);
    CHECK_MESSAGE(told.contains(name), told);
    CHECK(account.info(name).role == Role::Sent);
    CHECK(account.list(name).size() == 1);
  }
  CHECK(account.check() == "");
}
