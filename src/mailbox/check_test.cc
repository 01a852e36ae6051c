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
  auto last = account.put("Sent");
  account.expunge("Sent", {last});
  auto id = account.id("Sent");
  erase(account, mailbox_key(kId, id));
  SUBCASE("its name is there") {
    repair(account);
    CHECK(account.info("Sent").role == Role::Sent);
  }
  SUBCASE("its counters stay, with what was given out") {
    repair(account);
    CHECK(account.counters("Sent").uid_next == last + 1);
  }
  SUBCASE("its name is lost as well, and somebody has the one it would get") {
    account.create("Recovered " + std::to_string(id));
    erase(account, name_key(kId, kRoot, "Sent"));
    repair(account);
    CHECK(account.list("Recovered " + std::to_string(id) + "+").size() == 1);
    CHECK(account.list("Recovered " + std::to_string(id)).empty());
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

TEST_CASE("check: a group of summaries is mended at once, whatever is wrong in it") {
  TestAccount account;
  account.put("INBOX");
  account.put("INBOX");
  auto inbox = account.id("INBOX");
  auto key = summary_key(kId, inbox, group_of(1));
  SummaryGroup group;
  REQUIRE(group.decode(*account.memory.get(key), 0));
  auto first = *group.find(1);
  first.size += 1;
  group.put(first);
  group.remove(2);
  account.run([&](auto& tx) {
    tx.put(key, group.encode(0));
    tx.erase(message_key(kId, inbox, 1));
    return 0;
  });
  auto report = check_account(account.memory, kId);
  std::erase_if(report.rows, [&](const auto& row) { return row.key != key.bytes(); });
  REQUIRE(report.rows.size() == 1);
  REQUIRE(group.decode(*report.rows.front().value, 0));
  CHECK(group.find(2) != nullptr);
  CHECK(group.find(1)->size == first.size - 1);
  repair(account);
  CHECK(account.check() == "");
}

TEST_CASE(
    "check: an expunged message of which a row cannot be read keeps nothing else from being used") {
  TestAccount account;
  for (int i = 0; i < 3; ++i) account.put("Sent");
  auto sent = account.id("Sent");
  account.expunge("Sent", {1, 2, 3});
  std::vector<std::string> keys;
  account.memory.scan(store::Key(kId, kTableExpunged).children(),
                      [&](std::string_view key, std::string_view) {
                        keys.emplace_back(key);
                        return true;
                      });
  REQUIRE(keys.size() == 3);
  account.run([&](auto& tx) {
    tx.put(keys[0], "?");
    tx.put(message_key(kId, sent, 2), "?");
    return 0;
  });
  auto told = repair(account);
  CHECK_MESSAGE(told.contains("it cannot be read from where"), told);
  CHECK_MESSAGE(told.contains("has a row that cannot be read"), told);
  CHECK(account.check() == "");
  std::vector<Uid> there;
  scan_expunged(account.memory, kId, Time{}, [&](const ExpungedMessage& message) {
    CHECK(message.path == "Sent");
    there.push_back(message.uid);
    return true;
  });
  CHECK(there == std::vector<Uid>{1, 3});
}

TEST_CASE("check: the size in an email's row is that of its messages") {
  TestAccount account;
  account.put("INBOX");
  auto key = email_key(kId, account.list("INBOX").front().email);
  EmailRow email;
  REQUIRE(decode(*account.memory.get(key), email));
  email.size += 1;
  account.run([&](auto& tx) {
    tx.put(key, encode(email));
    return 0;
  });
  auto told = repair(account);
  CHECK_MESSAGE(told.contains("thread, body or size"), told);
  CHECK(account.check() == "");
}

TEST_CASE("check: no number of which there are rows is given out again") {
  TestAccount account;
  for (int i = 0; i < 3; ++i) account.put("Sent");
  account.create("Gone");
  auto gone = account.id("Gone");
  account.put("Gone");
  account.expunge("Gone", {1});
  account.expunge("Sent", {2, 3});
  account.run([&](auto& tx) { return delete_mailbox(tx, kId, "Gone", account.now); });
  auto sent = account.id("Sent");
  AccountRow before, after;
  REQUIRE(decode(*account.memory.get(account_key(kId)), before));
  Counters counters;
  REQUIRE(decode(*account.memory.get(counters_key(kId, sent)), counters));
  CHECK(counters.uid_next == 4);
  account.run([&](auto& tx) {
    IntentRow intent;
    intent.kind = IntentRow::Kind::EraseMailbox;
    intent.mailbox = gone + 7;
    tx.put(intent_key(kId, 40), encode(intent));
    auto row = before;
    row.change = row.next_mailbox = row.next_email = row.next_intent = 1;
    tx.put(account_key(kId), encode(row));
    tx.erase(counters_key(kId, sent));
    return 0;
  });
  repair(account);
  REQUIRE(decode(*account.memory.get(account_key(kId)), after));
  CHECK(after.change >= before.change);
  CHECK(after.next_mailbox > gone + 7);
  CHECK(after.next_intent == 41);
  CHECK(after.next_email == before.next_email);
  CHECK(account.counters("Sent").uid_next == 4);
}

TEST_CASE("check: the inbox keeps its name when it has lost all that says it") {
  TestAccount account;
  account.put("INBOX");
  auto inbox = account.id("INBOX");
  erase(account, mailbox_key(kId, inbox));
  erase(account, name_key(kId, kRoot, "INBOX"));
  repair(account);
  CHECK(account.id("INBOX") == inbox);
  CHECK(account.info("INBOX").role == Role::Inbox);
}
