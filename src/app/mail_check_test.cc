// Checking the mail of a whole store: which accounts there are to be checked.
#include "app/mail_check.h"

#include <doctest/doctest.h>
#include <set>

#include "auth/directory.h"
#include "mailbox/digest.h"
#include "mailbox/mailboxes.h"
#include "mailbox/messages.h"
#include "store/store_on_disk_test.h"

namespace hikyaku::app {
namespace {

constexpr auto kAnna = "anna@alpha.test";

/// A store with one account.
struct Bench : store::StoreOnDisk {
  store::AccountId anna = 0;
  std::set<store::BlobId> damaged;  ///< bodies

  Bench() { anna = add(); }
  template <class Function>
  void change(Function function) {
    auto done = transact([&](store::Transaction& tx) -> Result<void> {
      function(tx);
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
  }
  store::AccountId add(const char* address = kAnna) {
    store::AccountId made = 0;
    change([&](store::Transaction& tx) {
      made = auth::add_account(tx, address, "", Language::Japanese, true, loop.now()).value().id;
    });
    return made;
  }
  std::vector<mailbox::MailboxInfo> boxes() {
    return loop.run(store->read(
        [this](store::Reader& reader) { return mailbox::list_mailboxes(reader, anna); }));
  }
  MailReport check(bool repair) {
    store.reset();
    auto report = check_mail(options(), repair, [](std::string_view, double) {}, {}, damaged);
    REQUIRE_MESSAGE(report, report.error().describe());
    open();
    return *report;
  }
};

}  // namespace

TEST_CASE("a removed account that is half erased has nothing that is wrong") {
  Bench bench;
  for (int i = 0; i < 1'200; ++i)
    bench.change([&](store::Transaction& tx) {
      auto path = "f" + std::to_string(i);
      (void)mailbox::create_mailbox(tx, bench.anna, path, mailbox::Role::None, bench.loop.now());
    });
  CHECK(bench.check(false).accounts == 1);
  bool done = true;
  bench.change([&](store::Transaction& tx) {
    (void)auth::remove_account(tx, kAnna, bench.loop.now());
    done = auth::erase_removed_account(tx, bench.anna, bench.loop.now());
  });
  CHECK_FALSE(done);
  auto report = bench.check(true);
  CHECK(report.accounts == 0);
  CHECK(report.problems.empty());
  CHECK(report.repairs.empty());
}

TEST_CASE("an account of which nothing is left gets its mailboxes again") {
  Bench bench;
  auto lost = bench.boxes();
  bench.change([&](store::Transaction& tx) {
    while (!mailbox::erase_account(tx, bench.anna)) continue;
  });
  CHECK(bench.check(false).problems.size() == 1);
  CHECK(bench.boxes().empty());
  CHECK(bench.check(true).repairs.size() == 1);
  REQUIRE(bench.boxes().size() == lost.size());
  CHECK(bench.boxes()[1].path == lost[1].path);
  CHECK(bench.check(false).problems.empty());
}

TEST_CASE("an account that has lost its first rows has an INBOX again, and its quota") {
  Bench bench;
  auto account =
      bench.loop.run(bench.store->read([&](auto& reader) { return auth::list_accounts(reader); }))
          .front();
  account.quota = 1 << 20;
  bench.change([&](auto& tx) { REQUIRE(auth::update_account(tx, account)); });
  auto old_validity = bench.boxes().front().uid_validity;
  SUBCASE("with messages") {
    constexpr std::string_view kText = "Subject: hello\r\n\r\nhello\r\n";
    auto body = bench.stage(kText);
    bench.change([&](auto& tx) {
      mailbox::NewMessage message;
      message.body = body;
      message.digest = mailbox::make_digest("", kText);
      auto inbox = mailbox::find_role(tx, bench.anna, mailbox::Role::Inbox);
      REQUIRE(mailbox::deliver(tx, bench.anna, inbox->id, message, bench.loop.now()));
    });
  }
  SUBCASE("without any") {}
  bench.change([&](auto& tx) {
    mailbox::subscribe_mailbox(tx, bench.anna, "gone", true, bench.loop.now());
    for (int table = 0x10; table <= 0x13; ++table) {
      auto rows = store::Key(bench.anna, static_cast<store::Table>(table)).children();
      tx.erase_range(rows);
    }
    tx.erase(store::Key(bench.anna, store::Table{0x10}).bytes());
  });
  CHECK_FALSE(bench.check(false).problems.empty());
  CHECK_FALSE(bench.check(true).repairs.empty());
  CHECK(bench.check(false).problems.empty());
  auto again = bench.loop.run(bench.store->read([&](auto& reader) {
    return std::pair(mailbox::find_role(reader, bench.anna, mailbox::Role::Inbox),
                     mailbox::usage(reader, bench.anna).quota);
  }));
  REQUIRE(again.first);
  CHECK(again.first->uid_validity >= old_validity);
  CHECK(again.second == account.quota);
  for (const auto& box : bench.boxes()) CHECK(box.uid_validity >= old_validity);
}

TEST_CASE("an account that has lost its row takes nothing until that is made again") {
  Bench bench;
  auto create = [&] {
    bool made = false;
    bench.change([&](store::Transaction& tx) {
      made = mailbox::create_mailbox(tx, bench.anna, "new", mailbox::Role::None, bench.loop.now())
                 .has_value();
    });
    return made;
  };
  bench.change([&](store::Transaction& tx) {
    tx.erase(store::Key(bench.anna, store::Table{0x10}).bytes());
  });
  CHECK_FALSE(create());
  CHECK(bench.check(false).problems.front() == "anna@alpha.test: its row is lost");
  CHECK_FALSE(bench.check(true).repairs.empty());
  CHECK(create());
  CHECK(bench.check(false).problems.empty());
}

TEST_CASE("an account with a row that cannot be read is told, and so is all that comes behind it") {
  Bench bench;
  auto other = bench.add("bob@alpha.test");
  bench.change([&](store::Transaction& tx) {
    SUBCASE("its own") {
      tx.put(store::Key(bench.anna, store::Table{0x10}).bytes(), "?");
    }
    SUBCASE("its INBOX's") {
      auto inbox = mailbox::find_role(tx, bench.anna, mailbox::Role::Inbox)->id;
      tx.put(store::Key(bench.anna, store::Table{0x11}).u32(inbox).bytes(), "?");
    }
    SUBCASE("of a deleted message") {
      tx.put(store::Key(bench.anna, store::Table{0x1D}).u64(7).u32(1).u32(1).bytes(), "?");
      bench.damaged.insert(1);
    }
    mailbox::set_quota(tx, other, 7);
  });
  auto found = bench.check(false).problems;
  REQUIRE(found.size() >= 2);
  CHECK_MESSAGE(found.front().starts_with("anna@alpha.test: "), found.front());
  CHECK(found.back() == "bob@alpha.test: its quota is not that of the directory");
  CHECK_FALSE(bench.check(true).repairs.empty());
  CHECK(bench.check(false).problems.empty());
}

TEST_CASE("an account whose quota is not the directory's gets that, and no mailbox again") {
  Bench bench;
  auto all = bench.boxes();
  bench.change([&](store::Transaction& tx) {
    REQUIRE(mailbox::delete_mailbox(tx, bench.anna, all.back().path, bench.loop.now()));
    mailbox::set_quota(tx, bench.anna, 7);
  });
  CHECK(bench.check(false).problems.size() == 1);
  auto repairs = bench.check(true).repairs;
  REQUIRE(repairs.size() == 1);
  CHECK(repairs[0] == "anna@alpha.test: it has its quota again");
  CHECK(bench.boxes().size() == all.size() - 1);
  CHECK(bench.check(false).problems.empty());
}

}  // namespace hikyaku::app
