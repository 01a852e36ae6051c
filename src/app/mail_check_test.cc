// Checking the mail of a whole store: which accounts there are to be checked.
#include "app/mail_check.h"

#include <doctest/doctest.h>

#include "auth/directory.h"
#include "mailbox/mailboxes.h"
#include "mailbox/messages.h"
#include "store/store_on_disk_test.h"

namespace hikyaku::app {
namespace {

constexpr auto kAnna = "anna@alpha.test";

/// A store with one account.
struct Bench : store::StoreOnDisk {
  store::AccountId anna = 0;

  Bench() { anna = add(); }
  template <class Function>
  void change(Function function) {
    auto done = transact([&](store::Transaction& tx) -> Result<void> {
      function(tx);
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
  }
  store::AccountId add() {
    store::AccountId made = 0;
    change([&](store::Transaction& tx) {
      made = auth::add_account(tx, kAnna, "", Language::Japanese, true, loop.now()).value().id;
    });
    return made;
  }
  std::vector<mailbox::MailboxInfo> boxes() {
    return loop.run(store->read(
        [this](store::Reader& reader) { return mailbox::list_mailboxes(reader, anna); }));
  }
  MailReport check(bool repair) {
    store.reset();
    auto report = check_mail(options(), repair, [](std::string_view, double) {});
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
  CHECK(bench.check(true).repairs.size() == 1);
  CHECK(create());
  CHECK(bench.check(false).problems.empty());
}

}  // namespace hikyaku::app
