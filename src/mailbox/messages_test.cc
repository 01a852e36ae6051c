#include "mailbox/messages.h"

#include <doctest/doctest.h>

#include "mailbox/mailbox_fixture_test.h"
#include "mailbox/record.h"
#include "mailbox/rows.h"
#include "mailbox/summary_rows.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = TestAccount::kId;

ErrorCode code(const auto& result) {
  return result ? ErrorCode::Internal : result.error().code;
}

std::vector<std::string> names(TestAccount& account, std::string_view path, Flags flags) {
  std::vector<std::string> result;
  auto all = keywords(account.memory, kId, account.id(path));
  for (std::size_t i = 0; i < all.size(); ++i)
    if (flags >> (kFirstKeyword + i) & 1) result.push_back(all[i]);
  return result;
}

TEST_CASE("what is delivered is found again, word for word") {
  TestAccount account;
  auto message = TestAccount::message(1'000, kFlagged, {"$Forwarded"});
  message.prefix = "Received: x\r\n";
  message.received = account.now - seconds(5);
  message.digest = {"(envelope)", "(structure)", "Subject: x\r\n", "parts", {1, 2, 3}, 4, 1, true};
  auto placed = account.put("INBOX", message);
  REQUIRE(placed);
  CHECK(placed->uid == 1);
  CHECK(placed->uid_validity == account.info("INBOX").uid_validity);
  CHECK(account.memory.notified().contains({kId, account.id("INBOX")}));
  auto record = get_message(account.memory, kId, account.id("INBOX"), 1);
  REQUIRE(record);
  CHECK(record->size == 1'013);
  CHECK(record->prefix == message.prefix);
  CHECK(record->received == message.received);
  CHECK(record->saved == account.now);
  CHECK(record->digest == message.digest);
  auto row = account.list("INBOX")[0];
  CHECK(row.size == 1'013);
  CHECK(row.received == message.received);
  CHECK(row.email == placed->email);
  CHECK(row.changed == placed->change);
  CHECK(names(account, "INBOX", row.flags) == std::vector<std::string>{"$Forwarded"});
  CHECK(!get_message(account.memory, kId, account.id("INBOX"), 2));
}

TEST_CASE("a full account takes nothing, and the step can go on") {
  TestAccount account;
  account.run([&](auto& tx) {
    set_quota(tx, kId, 250);
    return Result<void>{};
  });
  CHECK(account.put("INBOX") == 1);
  CHECK(account.put("INBOX") == 2);
  auto keys = account.memory.keys();
  CHECK(code(account.put("INBOX", TestAccount::message(51, 0, {"new"}))) ==
        ErrorCode::QuotaExceeded);
  CHECK(code(account.copy("INBOX", {1}, "Archive")) == ErrorCode::QuotaExceeded);
  CHECK(account.memory.keys() == keys);
  CHECK(account.move("INBOX", {1}, "Archive"));
  CHECK(account.put("INBOX", TestAccount::message(50)));
  CHECK(code(account.put("INBOX", TestAccount::message(1))) == ErrorCode::QuotaExceeded);
  account.expunge("INBOX", {2});
  CHECK(account.put("INBOX", TestAccount::message(100)));
  CHECK(usage(account.memory, kId).bytes == 250);
  CHECK(account.check() == "");
}

TEST_CASE("delivering into what is gone") {
  TestAccount account;
  CHECK(code(account.put("nothing", TestAccount::message())) == ErrorCode::NotFound);
  account.create("a/b");
  account.remove("a");
  CHECK(code(account.put("a", TestAccount::message())) == ErrorCode::NotFound);
}

TEST_CASE("one transaction is one change, however much it touches") {
  TestAccount account;
  auto before = account_change(account.memory, kId);
  account.run([&](auto& tx) {
    for (auto path : {"INBOX", "Archive", "INBOX"})
      (void)deliver(tx, kId, account.id(path), TestAccount::message(), account.now);
    (void)create_mailbox(tx, kId, "x", Role::None, account.now);
    return Result<void>{};
  });
  CHECK(account_change(account.memory, kId) == before + 1);
  auto changes = changes_since(account.memory, kId, account.id("INBOX"), before);
  REQUIRE(changes);
  CHECK(changes->created == NumberSet{1, 2});
  CHECK(changes_since(account.memory, kId, account.id("Archive"), before)->created == NumberSet{1});
}

TEST_CASE("flags: replace, add, remove") {
  TestAccount account;
  account.put("INBOX", kSeen, {"a"});
  account.put("INBOX", kDraft);
  auto stored = account.flag("INBOX", {2, 1, 99, 1}, {FlagChange::Add, kFlagged, {"B"}, {}});
  REQUIRE(stored);
  REQUIRE(stored->changed.size() == 2);
  CHECK(stored->changed[0].flags == (kSeen | kFlagged | 1ULL << 6 | 1ULL << 7));
  CHECK(stored->changed[1].flags == (kDraft | kFlagged | 1ULL << 7));
  stored = account.flag("INBOX", {1}, {FlagChange::Remove, kSeen, {"b", "unknown"}, {}});
  CHECK(stored->changed[0].flags == (kFlagged | 1ULL << 6));
  stored = account.flag("INBOX", {1}, {FlagChange::Replace, kDeleted, {"A"}, {}});
  CHECK(stored->changed[0].flags == (kDeleted | 1ULL << 6));
  CHECK(keywords(account.memory, kId, account.id("INBOX")) == std::vector<std::string>{"a", "B"});
  CHECK(account.counters("INBOX").deleted == 1);
  CHECK(account.counters("INBOX").unseen == 2);
  CHECK(account.check() == "");
}

TEST_CASE("a flag that is there already changes nothing") {
  TestAccount account;
  account.put("INBOX", kSeen);
  auto before = account_change(account.memory, kId);
  auto stored = account.flag("INBOX", {1}, {FlagChange::Add, kSeen, {}, {}});
  CHECK(stored->changed.size() == 1);
  CHECK(account_change(account.memory, kId) == before);
  CHECK(account.memory.writes() == 0);
}

TEST_CASE("UNCHANGEDSINCE leaves alone what has changed (RFC 7162 §3.1.3)") {
  TestAccount account;
  account.put("INBOX");
  account.put("INBOX");
  auto since = account_change(account.memory, kId);
  account.flag("INBOX", {2}, {FlagChange::Add, kFlagged, {}, {}});
  auto stored = account.flag("INBOX", {1, 2}, {FlagChange::Add, kSeen, {}, since});
  CHECK(stored->modified == std::vector<Uid>{2});
  REQUIRE(stored->changed.size() == 1);
  CHECK(stored->changed[0].uid == 1);
  CHECK(stored->changed[0].changed > since);
  stored = account.flag("INBOX", {1, 2}, {FlagChange::Add, kSeen, {}, 0});
  CHECK(stored->modified == std::vector<Uid>{1, 2});
}

TEST_CASE("UNCHANGEDSINCE: a number of a time that a restore took back protects nothing") {
  TestAccount account;
  account.put("INBOX");
  account.put("INBOX");
  auto before = account_change(account.memory, kId);
  auto lost = before + 5;
  auto modified = [&](ChangeNumber since, Uid uid) {
    auto stored = account.flag("INBOX", {uid}, {FlagChange::Add, kSeen, {}, since});
    return stored->modified == std::vector<Uid>{uid};
  };
  account.memory.set_epoch(2);
  // Before the account's first change in the new epoch, and after it.
  CHECK(modified(lost, 1));
  CHECK(account_change(account.memory, kId) == before);
  CHECK(!modified(before, 1));
  auto now = account_change(account.memory, kId);
  CHECK(now > before + (2ULL << 32));
  CHECK(modified(lost, 2));
  CHECK(modified(now - 2, 2));
  CHECK(modified(before, 1));
  CHECK(!modified(now, 1));
  // One that no server has given out means what it says.
  CHECK(!modified(now + 100, 2));
}

TEST_CASE("keywords have an end") {
  TestAccount account;
  account.put("INBOX");
  std::vector<std::string> names;
  for (int i = 0; i < kMaxKeywords; ++i) names.push_back("k" + std::to_string(i));
  REQUIRE(account.flag("INBOX", {1}, {FlagChange::Add, 0, names, {}}));
  auto keys = account.memory.keys();
  CHECK(code(account.flag("INBOX", {1}, {FlagChange::Add, 0, {"K1", "more"}, {}})) ==
        ErrorCode::TooLarge);
  CHECK(code(account.flag("INBOX", {1}, {FlagChange::Add, 0, {"no atom"}, {}})) ==
        ErrorCode::Invalid);
  CHECK(code(account.flag("INBOX", {1}, {FlagChange::Add, 0, {std::string(200, 'x')}, {}})) ==
        ErrorCode::Invalid);
  CHECK(account.memory.keys() == keys);
  CHECK(account.flag("INBOX", {1}, {FlagChange::Add, 0, {"K57"}, {}}));
  // Mail must not fail for them.
  REQUIRE(account.put("INBOX", TestAccount::message(1, 0, {"k2", "more", "no atom"})));
  CHECK(account.list("INBOX")[1].flags == 1ULL << (kFirstKeyword + 2));
}

TEST_CASE("a STORE of 10,000 writes 313 rows") {
  TestAccount account;
  account.run([&](auto& tx) {
    for (int i = 0; i < 10'031; ++i)
      (void)deliver(tx, kId, account.id("INBOX"), TestAccount::message(), account.now);
    return Result<void>{};
  });
  std::vector<Uid> uids;
  for (Uid uid = 32; uid < 10'032; ++uid) uids.push_back(uid);
  account.flag("INBOX", uids, {FlagChange::Add, kSeen, {}, {}});
  CHECK(account.memory.writes() == 313 + 3);  // and account, counters, change
  CHECK(account.counters("INBOX").unseen == 31);
}

TEST_CASE("a copy is the same email with its flags; all or nothing") {
  TestAccount account;
  account.put("INBOX", kSeen, {"a", "b"});
  account.put("INBOX");
  account.put("Archive", 0, {"b"});
  auto copied = account.copy("INBOX", {2, 1, 77}, "Archive");
  REQUIRE(copied);
  CHECK(copied->from == std::vector<Uid>{1, 2});
  CHECK(copied->to == std::vector<Uid>{2, 3});
  CHECK(copied->uid_validity == account.info("Archive").uid_validity);
  auto inbox = account.list("INBOX"), archive = account.list("Archive");
  CHECK(archive[1].email == inbox[0].email);
  CHECK(archive[1].thread == inbox[0].thread);
  CHECK((archive[1].flags & kSeen));
  CHECK(names(account, "Archive", archive[1].flags) == std::vector<std::string>{"b", "a"});
  // Within the mailbox: twice there.
  CHECK(account.copy("INBOX", {1}, "INBOX")->to == std::vector<Uid>{3});
  // One body, one owner, until the last place goes.
  CHECK(account.memory.bodies().at(1).owners.size() == 1);
  account.expunge("INBOX", {1, 2, 3});
  CHECK(account.memory.bodies().at(1).owners.size() == 1);
  account.expunge("Archive", {2});
  CHECK(account.memory.bodies().at(1).owners.empty());
  CHECK(account.check() == "");
}

TEST_CASE("an email has a bounded number of places") {
  TestAccount account;
  account.put("INBOX");
  for (int i = 0; i < 9; ++i) REQUIRE(account.copy("INBOX", account.uids("INBOX"), "INBOX"));
  CHECK(account.uids("INBOX").size() == 512);
  CHECK(account.check() == "");
  CHECK(account.memory.bodies().size() == 1);
}

TEST_CASE("moving keeps the email and tells both mailboxes") {
  TestAccount account;
  account.put("INBOX", kFlagged);
  auto email = account.list("INBOX")[0].email;
  auto before = account_change(account.memory, kId);
  auto moved = account.move("INBOX", {1}, "Trash");
  REQUIRE(moved);
  CHECK(moved->to == std::vector<Uid>{1});
  CHECK(account.list("INBOX").empty());
  CHECK(account.list("Trash")[0].email == email);
  CHECK(account.list("Trash")[0].flags == kFlagged);
  CHECK(changes_since(account.memory, kId, account.id("INBOX"), before)->destroyed == NumberSet{1});
  CHECK(changes_since(account.memory, kId, account.id("Trash"), before)->created == NumberSet{1});
  CHECK(account_change(account.memory, kId) == before + 1);
  CHECK(account.memory.bodies().at(1).owners.size() == 1);
  CHECK(!get_message_or_ghost(account.memory, kId, account.id("INBOX"), 1));
  // Onto itself (RFC 6851 allows it): new UIDs.
  CHECK(account.move("Trash", {1}, "Trash")->to == std::vector<Uid>{2});
  CHECK(account.check() == "");
}

TEST_CASE("what was expunged can be read by who does not know, and brought back") {
  TestAccount account;
  account.put("INBOX", kSeen | kDeleted, {"kept"});
  account.put("INBOX");
  CHECK(account.expunge("INBOX", {1, 2, 3}, true) == std::vector<Uid>{1});
  CHECK(account.expunge("INBOX", {1}).empty());
  auto inbox = account.id("INBOX");
  CHECK(!get_message(account.memory, kId, inbox, 1));
  CHECK(get_message_or_ghost(account.memory, kId, inbox, 1));
  std::vector<Uid> seen;
  scan_messages(account.memory, kId, inbox, 1, 100, [&](Uid uid, const MessageRecord&) {
    seen.push_back(uid);
    return true;
  });
  CHECK(seen == std::vector<Uid>{2});

  std::vector<ExpungedMessage> expunged;
  scan_expunged(account.memory, kId, account.now - seconds(1), [&](const auto& message) {
    expunged.push_back(message);
    return true;
  });
  REQUIRE(expunged.size() == 1);
  CHECK(expunged[0].path == "INBOX");
  CHECK(expunged[0].keywords == std::vector<std::string>{"kept"});
  auto back = account.run([&](auto& tx) {
    return restore_message(tx, kId, account.id("Archive"), expunged[0], account.now);
  });
  REQUIRE(back);
  auto row = account.list("Archive")[0];
  CHECK((row.flags & (kSeen | kDeleted)) == kSeen);
  CHECK(names(account, "Archive", row.flags) == std::vector<std::string>{"kept"});
  CHECK(account.memory.bodies().at(1).owners.size() == 1);
  auto again = account.run([&](auto& tx) {
    return restore_message(tx, kId, account.id("Archive"), expunged[0], account.now);
  });
  CHECK(code(again) == ErrorCode::NotFound);
  CHECK(account.check() == "");
}

TEST_CASE("many messages at once are those that are found one by one") {
  TestAccount account;
  for (int i = 0; i < 120; ++i) account.put("INBOX");
  auto inbox = account.id("INBOX");
  account.expunge("INBOX", {3, 4, 5, 20, 21});
  account.now += std::chrono::hours(1);
  CHECK(account.run([&](auto& tx) { return trim_expunged(tx, kId, account.now); }));
  account.expunge("INBOX", {7, 8});
  account.move("INBOX", {9, 50}, "Trash");
  std::vector<Uid> all, tens, gap = {1, 2, 60, 61, 62, 63, 64, 110};
  for (Uid uid = 1; uid < 130; ++uid) all.push_back(uid);
  for (Uid uid = 10; uid < 130; uid += 10) tens.push_back(uid);
  for (auto& uids : {all, tens, gap, {2}, {2, 3, 4, 5, 6, 7}, {20, 21}, {121, 122}, {}}) {
    auto found = get_messages_or_ghosts(account.memory, kId, inbox, uids);
    REQUIRE(found.size() == uids.size());
    for (std::size_t i = 0; i < uids.size(); ++i) {
      CAPTURE(uids[i]);
      auto one = get_message_or_ghost(account.memory, kId, inbox, uids[i]);
      REQUIRE(found[i].has_value() == one.has_value());
      if (one) CHECK(found[i]->email == one->email);
    }
  }
}

TEST_CASE("of many records as many are read as there is memory for") {
  TestAccount account;
  for (int i = 0; i < 20; ++i) account.put("INBOX");
  auto inbox = account.id("INBOX");
  std::vector<Uid> all, odd;
  for (Uid uid = 1; uid <= 20; ++uid) all.push_back(uid);
  for (Uid uid = 1; uid <= 20; uid += 2) odd.push_back(uid);
  for (auto& uids : {all, odd}) {
    auto whole = get_messages_or_ghosts(account.memory, kId, inbox, uids);
    REQUIRE(whole.size() == uids.size());
    auto one = whole[0]->memory();
    CHECK(get_messages_or_ghosts(account.memory, kId, inbox, uids, 1).size() == 1);
    auto some = get_messages_or_ghosts(account.memory, kId, inbox, uids, 4 * one);
    REQUIRE(some.size() > 1);
    CHECK(some.size() < 10);
    for (std::size_t i = 0; i < some.size(); ++i) CHECK(some[i]->email == whole[i]->email);
  }
}

TEST_CASE("what was expunged is forgotten in the end") {
  TestAccount account;
  for (int i = 0; i < 5; ++i) account.put("INBOX");
  account.expunge("INBOX", {1, 2});
  account.now += std::chrono::hours(1);
  account.expunge("INBOX", {3});
  CHECK(account.run([&](auto& tx) { return trim_expunged(tx, kId, account.now); }));
  CHECK(!get_message_or_ghost(account.memory, kId, account.id("INBOX"), 2));
  CHECK(get_message_or_ghost(account.memory, kId, account.id("INBOX"), 3));
  CHECK(account.check() == "");
}

TEST_CASE("what was expunged by a clock that was ahead is forgotten in the end, too") {
  TestAccount account;
  for (int i = 0; i < 3; ++i) account.put("INBOX");
  account.expunge("INBOX", {1});
  account.now += std::chrono::hours(1000);
  account.expunge("INBOX", {2});
  account.now -= std::chrono::hours(999);
  CHECK(account.run([&](auto& tx) { return date_back_expunged(tx, kId, account.now); }));
  std::vector<Time> times;
  scan_expunged(account.memory, kId, Time{}, [&](const auto& message) {
    times.push_back(message.expunged);
    return true;
  });
  CHECK(times == std::vector{account.now - std::chrono::hours(1), account.now});
  account.now += seconds(1);
  CHECK(account.run([&](auto& tx) { return trim_expunged(tx, kId, account.now); }));
  CHECK(!get_message_or_ghost(account.memory, kId, account.id("INBOX"), 2));
  CHECK(account.check() == "");
}

TEST_CASE("scanning messages gives those that are there, few or many, until told to stop") {
  TestAccount account;
  for (int i = 0; i < 200; ++i) account.put("INBOX");
  std::vector<Uid> gone;
  for (Uid uid = 1; uid <= 200; ++uid)
    if ((uid / 32) % 2 == 0 && uid % 10 != 0) gone.push_back(uid);
  account.expunge("INBOX", gone);
  auto scan = [&](Uid first, Uid last, std::size_t limit) {
    std::vector<Uid> seen;
    scan_messages(account.memory, kId, account.id("INBOX"), first, last,
                  [&](Uid uid, const MessageRecord& record) {
                    CHECK(record.email != 0);
                    seen.push_back(uid);
                    return seen.size() < limit;
                  });
    return seen;
  };
  CHECK(scan(1, UINT32_MAX, 1'000) == account.uids("INBOX"));
  CHECK(scan(10, 10, 1'000) == std::vector<Uid>{10});
  CHECK(scan(11, 19, 1'000).empty());
  CHECK(scan(25, 35, 1'000) == std::vector<Uid>{30, 32, 33, 34, 35});
  CHECK(scan(0, 500, 3) == std::vector<Uid>{10, 20, 30});
  CHECK(scan(201, 300, 3).empty());
}

TEST_CASE("threads: answers join, also before what they answer; strangers do not") {
  TestAccount account;
  auto put = [&](std::uint64_t id, std::vector<std::uint64_t> references) {
    auto message = TestAccount::message();
    message.digest.message_id_hash = id;
    message.digest.reference_hashes = std::move(references);
    account.put("INBOX", message);
    return account.list("INBOX").back().thread;
  };
  auto first = put(1, {});
  CHECK(put(2, {1}) == first);
  CHECK(put(3, {1, 2}) == first);
  auto other = put(4, {});
  CHECK(other != first);
  // Two answers to a mail that is not here, then the mail itself.
  auto missing = put(11, {10});
  CHECK(put(12, {10}) == missing);
  CHECK(put(10, {}) == missing);
  CHECK(put(4, {}) == other);  // the same mail again
  CHECK(put(0, {}) != put(0, {}));
  CHECK(account.counters("INBOX").threads == 5);
  // The nearest reference decides.
  CHECK(put(20, {1, 4}) == other);
  CHECK(account.check() == "");
}

TEST_CASE("a thread that has died does not come back") {
  TestAccount account;
  auto message = TestAccount::message();
  message.digest.message_id_hash = 1;
  account.put("INBOX", message);
  auto first = account.list("INBOX")[0].thread;
  account.expunge("INBOX", {1});
  CHECK(account.counters("INBOX").threads == 0);
  account.put("INBOX", message);
  CHECK(account.list("INBOX")[0].thread != first);
}

TEST_CASE("a hostile list of references costs a bounded number of rows") {
  TestAccount account;
  auto message = TestAccount::message();
  message.digest.message_id_hash = 1;
  for (std::uint64_t i = 2; i < 10'000; ++i) message.digest.reference_hashes.push_back(i);
  account.put("INBOX", message);
  CHECK(account.memory.writes() < 50);
}

TEST_CASE("changes are forgotten by age and number, and one is told so") {
  TestAccount account;
  auto start = account_change(account.memory, kId);
  for (int i = 0; i < 30; ++i) account.put("INBOX");
  auto inbox = account.id("INBOX");
  auto trim = [&](TrimRules rules) {
    return account.run([&](auto& tx) { return trim_changes(tx, kId, account.now, rules); });
  };
  CHECK(trim({std::chrono::hours(1), 10, 100}));
  CHECK(changes_since(account.memory, kId, inbox, start)->created.count() == 30);
  account.now += std::chrono::hours(2);
  CHECK(trim({std::chrono::hours(1), 10, 100}));
  CHECK(!changes_since(account.memory, kId, inbox, start + 19));
  CHECK(changes_since(account.memory, kId, inbox, start + 20)->created.count() == 10);
  account.now -= std::chrono::hours(2);
  CHECK(trim({std::chrono::hours(1), 0, 5}));
  CHECK(!changes_since(account.memory, kId, inbox, start + 24));
  CHECK(changes_since(account.memory, kId, inbox, start + 25)->created.count() == 5);
  CHECK(!changes_since(account.memory, kId, inbox, start + 20, 3));
  CHECK(!changes_since(account.memory, kId, inbox, start + 31));
  CHECK(changes_since(account.memory, kId, inbox, start + 30)->created.empty());
}

TEST_CASE("what came and went in between is not told as new") {
  TestAccount account;
  account.put("INBOX");
  auto since = account_change(account.memory, kId);
  account.put("INBOX");
  account.put("INBOX");
  account.flag("INBOX", {1, 2, 3}, {FlagChange::Add, kSeen, {}, {}});
  account.expunge("INBOX", {2});
  auto changes = changes_since(account.memory, kId, account.id("INBOX"), since);
  CHECK(changes->created == NumberSet{3});
  CHECK(changes->updated == NumberSet{1});
  CHECK(changes->destroyed == NumberSet{2});
}

TEST_CASE("damaged rows are noticed") {
  TestAccount account;
  account.put("INBOX");
  auto inbox = account.id("INBOX");
  account.memory.put(counters_key(kId, inbox), "\xFF");
  CHECK_THROWS_AS(account.put("INBOX"), CorruptRow);
  CHECK_THROWS_AS(get_counters(account.memory, kId, inbox), CorruptRow);
}

TEST_CASE("summary groups of every width come back as they were") {
  auto check = [](auto group, Uid base, std::uint32_t width) {
    for (std::uint32_t i = 0; i < width; i += 1 + i % 3) {
      MessageSummary row{base + i,
                         i * 77,
                         1'000 + i % 5,
                         i * 1'000'000'000ULL,
                         Time(milliseconds(1'700'000'000'000 - i * 1'000)),
                         500 - i,
                         i};
      group.put(row);
    }
    auto bytes = group.encode(base);
    decltype(group) again;
    REQUIRE(again.decode(bytes, base));
    REQUIRE(again.rows().size() == group.rows().size());
    CHECK(std::equal(again.rows().begin(), again.rows().end(), group.rows().begin()));
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK(!again.decode(std::string_view(bytes).substr(0, cut), base));
  };
  check(SummaryGroupOf<16>(), 16, 16);
  check(SummaryGroupOf<32>(), 0, 32);
  check(SummaryGroupOf<64>(), 640, 64);
}

}  // namespace
}  // namespace hikyaku::mailbox
