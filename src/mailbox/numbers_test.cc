// Removed accounts: nothing is written for them any more, and no number of theirs comes again.
#include "mailbox/numbers.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <set>

#include "mailbox/bulk.h"
#include "mailbox/check.h"
#include "mailbox/mailbox_fixture_test.h"
#include "mailbox/mailboxes.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kOther = TestAccount::kId + 1;

/// All numbers of an account that clients may have seen.
struct Seen {
  std::set<std::uint32_t> uid_validities;
  std::set<MailboxId> mailboxes;
  std::set<EmailId> emails;
  std::set<ThreadId> threads;
  ChangeNumber change = 0;

  Seen(store::Reader& reader, AccountId account) : change(account_change(reader, account)) {
    for (const auto& box : list_mailboxes(reader, account)) {
      uid_validities.insert(box.uid_validity);
      mailboxes.insert(box.id);
      scan_summaries(reader, account, box.id, 1, UINT32_MAX, [&](const MessageSummary& message) {
        emails.insert(message.email);
        threads.insert(message.thread);
        return true;
      });
    }
  }
  bool is_above(const Seen& other) const {
    return *uid_validities.begin() > *other.uid_validities.rbegin() &&
           *mailboxes.begin() > *other.mailboxes.rbegin() &&
           *emails.begin() > *other.emails.rbegin() && *threads.begin() > *other.threads.rbegin() &&
           change > other.change;
  }
};

/// As `TestAccount`'s, in its store, with a message.
Seen make_other(TestAccount& first, AccountId account = kOther) {
  first.run([&](auto& tx) {
    create_standard_mailboxes(tx, account, Language::English, first.now);
    auto inbox = find_mailbox(tx, account, "INBOX")->id;
    return deliver(tx, account, inbox, TestAccount::message(), first.now);
  });
  return {first.memory, account};
}

void close(TestAccount& account) {
  account.memory.run([&](store::Transaction& tx) -> Result<void> {
    close_account(tx, TestAccount::kId, account.now);
    return {};
  });
}

/// One with a history: many mailboxes, made within a moment.
void live(TestAccount& account) {
  for (int i = 0; i < 100; ++i) REQUIRE(account.create("f" + std::to_string(i)));
  for (int i = 0; i < 20; ++i) account.put("f" + std::to_string(i));
}

}  // namespace

TEST_CASE("an account that is made behind a removed one goes on above its numbers") {
  TestAccount account;
  live(account);
  auto number = account_change(account.memory, TestAccount::kId);
  Seen first(account.memory, TestAccount::kId);
  SUBCASE("at once") {
    close(account);
  }
  SUBCASE("with a clock that was set back") {
    close(account);
    account.now -= std::chrono::hours(24 * 365);
  }
  SUBCASE("in a later epoch") {
    close(account);
    account.memory.set_epoch(3);
  }
  SUBCASE("removed in a later epoch, in which it had no change yet") {
    account.memory.set_epoch(3);
    close(account);
  }
  auto second = make_other(account);
  CHECK(second.is_above(first));
  // Who comes with numbers of the first is told everything.
  auto inbox = find_mailbox(account.memory, kOther, "INBOX")->id;
  CHECK_FALSE(changes_since(account.memory, kOther, inbox, number));
  CHECK(changes_since(account.memory, kOther, inbox, second.change));
  CHECK(check_account(account.memory, kOther).problems.empty());

  account.memory.run([&](store::Transaction& tx) -> Result<void> {
    close_account(tx, kOther, account.now);
    close_account(tx, kOther, account.now);  // and once more
    return {};
  });
  CHECK(make_other(account, kOther + 1).is_above(second));
}

TEST_CASE("numbers of an account that was made in a lost time do not come again") {
  TestAccount account;
  auto before = account.memory.keys();
  auto lost = make_other(account);
  account.memory.run([&](store::Transaction& tx) -> Result<void> {
    while (!erase_account(tx, kOther)) continue;
    return {};
  });
  REQUIRE(account.memory.keys() == before);
  account.memory.set_epoch(2);
  CHECK(make_other(account).is_above(lost));
}

TEST_CASE("a store of an earlier version, which did not note how far removed accounts had come") {
  TestAccount account;
  live(account);
  Seen first(account.memory, TestAccount::kId);
  account.memory.run([&](store::Transaction& tx) -> Result<void> {
    while (!erase_account(tx, TestAccount::kId)) continue;
    return {};
  });
  account.now += std::chrono::hours(1);
  SUBCASE("an account is made") {
    account.memory.run([&](store::Transaction& tx) -> Result<void> {
      begin_former_numbers(tx, false);
      return {};
    });
  }
  SUBCASE("another is removed before") {
    account.memory.run([&](store::Transaction& tx) -> Result<void> {
      create_standard_mailboxes(tx, kOther + 1, Language::English, account.now);
      close_account(tx, kOther + 1, account.now);
      return {};
    });
  }
  CHECK(make_other(account).is_above(first));
  auto noted = account.memory.get(former_key());
  account.memory.run([&](store::Transaction& tx) -> Result<void> {
    begin_former_numbers(tx, false);  // what is known holds
    return {};
  });
  CHECK(account.memory.get(former_key()) == noted);
}

TEST_CASE("whoever has begun to write for an account that is removed writes nothing") {
  TestAccount account;
  live(account);
  account.put("f0", kDeleted);
  auto box = account.id("f0");
  auto to = account.id("INBOX");
  auto expunged = account.run([&](auto& tx) {
    return expunge_messages(tx, TestAccount::kId, account.id("f1"), std::vector<Uid>{1}, false,
                            account.now);
  });
  REQUIRE(expunged.size() == 1);
  std::vector<ExpungedMessage> deleted;
  scan_expunged(account.memory, TestAccount::kId, Time{}, [&](const ExpungedMessage& message) {
    deleted.push_back(message);
    return true;
  });
  REQUIRE(deleted.size() == 1);
  auto begin = [&] {
    return account.run(
        [&](auto& tx) { return begin_append(tx, TestAccount::kId, to, 10, 1'000, account.now); });
  };
  auto intent = begin();
  REQUIRE(intent);
  REQUIRE(account.run([&](auto& tx) {
    return append_piece(tx, TestAccount::kId, *intent, std::vector{TestAccount::message()},
                        account.now);
  }));
  close(account);

  const auto left = account.memory.keys();
  auto bodies = account.memory.bodies().size();
  constexpr auto kId = TestAccount::kId;
  const std::vector<Uid> uids{1, 2};
  auto refused = [&](auto step) {
    auto result = account.run(step);
    CHECK_FALSE(result);
    CHECK(result.error().code == ErrorCode::NotFound);
    CHECK(account.memory.keys() == left);
  };
  refused([&](auto& tx) { return create_mailbox(tx, kId, "new", Role::None, account.now); });
  refused([&](auto& tx) { return create_mailbox(tx, kId, "f0/below", Role::None, account.now); });
  refused([&](auto& tx) { return rename_mailbox(tx, kId, "INBOX", "old", account.now); });
  refused([&](auto& tx) { return rename_mailbox(tx, kId, "f0", "g", account.now); });
  refused([&](auto& tx) { return delete_mailbox(tx, kId, "f0", account.now); });
  refused([&](auto& tx) { return subscribe_mailbox(tx, kId, "f0", true, account.now); });
  refused([&](auto& tx) { return deliver(tx, kId, to, TestAccount::message(), account.now); });
  refused([&](auto& tx) { return restore_message(tx, kId, to, deleted[0], account.now); });
  refused([&](auto& tx) { return copy_messages(tx, kId, box, uids, to, account.now); });
  refused([&](auto& tx) { return move_messages(tx, kId, box, uids, to, account.now); });
  StoreFlags seen;
  seen.system_flags = kSeen;
  refused([&](auto& tx) { return store_flags(tx, kId, box, uids, seen, account.now); });
  refused([&](auto& tx) { return begin_append(tx, kId, box, 10, 1'000, account.now); });
  refused([&](auto& tx) {
    return append_piece(tx, kId, *intent, std::vector{TestAccount::message()}, account.now);
  });
  refused([&](auto& tx) { return copy_piece(tx, kId, *intent, box, uids, account.now); });
  refused([&](auto& tx) { return publish(tx, kId, *intent, account.now); });
  auto name = [](const auto& row) { return row.first; };
  account.memory.run([&](store::Transaction& tx) -> Result<void> {
    CHECK(expunge_messages(tx, kId, box, uids, false, account.now).empty());
    set_quota(tx, kId, 1'000);
    abandon(tx, kId, *intent);
    CHECK(work_off(tx, kId, account.now));
    CHECK(trim_changes(tx, kId, account.now, {std::chrono::hours(0), 1, 1}));
    claim_recent(tx, kId, box);
    return {};
  });
  // Other values perhaps, no other rows.
  CHECK(std::ranges::equal(account.memory.keys(), left, {}, name, name));
  CHECK(account.memory.bodies().size() == bodies);
}

}  // namespace hikyaku::mailbox
