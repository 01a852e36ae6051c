#include "mailbox/bulk.h"

#include <doctest/doctest.h>

#include "mailbox/store_fixture_test.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = OnDisk::kId;

std::vector<Uid> up_to(Uid last) {
  std::vector<Uid> uids;
  for (Uid uid = last; uid >= 1; --uid) uids.push_back(uid);
  return uids;
}

TEST_CASE("thousands of messages: flags, copies, moves, expunges") {
  OnDisk disk;
  disk.deliver(disk.inbox, 2'300);
  BulkContext context{*disk.store, disk.loop};
  auto archive = disk.id("Archive");
  auto uids = up_to(2'400);

  auto stored = disk.loop.run(
      store_flags_bulk(context, kId, disk.inbox, uids, {FlagChange::Add, kFlagged, {"x"}, {}}));
  REQUIRE(stored);
  CHECK(stored->stored == 2'300);
  REQUIRE(stored->pieces.size() == 3);
  CHECK(stored->pieces[1].last == 2'000);
  CHECK(stored->pieces[1].change > stored->pieces[0].change);
  auto copied = disk.loop.run(copy_bulk(context, kId, {disk.inbox, archive, uids}));
  REQUIRE(copied);
  CHECK(copied->from.size() == 2'300);
  CHECK(copied->to.size() == 2'300);
  CHECK(copied->from[2'299] == 2'300);
  CHECK(copied->to[2'299] == copied->to[0] + 2'299);
  CHECK(disk.counters(archive).total == 2'300);

  Copied moved;
  REQUIRE(disk.loop.run(move_bulk(context, kId, disk.inbox, up_to(1'500), archive, moved)));
  CHECK(moved.to.size() == 1'500);
  CHECK(disk.counters(disk.inbox).total == 800);
  auto gone = disk.loop.run(expunge_bulk(context, kId, archive, copied->to, false));
  REQUIRE(gone);
  CHECK(*gone == copied->to);
  CHECK(disk.counters(archive).total == 1'500);

  disk.transact(
      [&](store::Transaction& tx) { return delete_mailbox(tx, kId, "Archive", disk.loop.now()); });
  REQUIRE(disk.loop.run(work_off_bulk(context, kId)));
  TrimRules trim{std::chrono::hours(0), 0, 0};
  auto expunged = [&] {
    return disk.loop.run(disk.store->read([](store::Reader& reader) {
      int found = 0;
      scan_expunged(reader, kId, Time{}, [&](const auto&) { return ++found < 10; });
      return found;
    }));
  };
  // A retention that reaches back behind 1970 keeps everything.
  REQUIRE(disk.loop.run(trim_bulk(context, kId, trim, Time{} - std::chrono::hours(1))));
  CHECK(expunged() == 10);
  REQUIRE(disk.loop.run(trim_bulk(context, kId, trim, disk.loop.now() + milliseconds(1))));
  CHECK(expunged() == 0);
}

TEST_CASE("bulk work ends between two pieces when the server does, and is taken up again") {
  OnDisk disk;
  disk.deliver(disk.inbox, 4'000);
  auto archive = disk.id("Archive");
  auto pieces = 0;
  BulkContext context{*disk.store, disk.loop, [&] { return pieces-- == 0; }};
  auto ends = [&](auto work, int after = 1) {
    pieces = after;
    auto done = disk.loop.run(std::move(work));
    return !done && done.error().code == ErrorCode::Shutdown;
  };
  auto left = [&] { return disk.counters(disk.inbox).total; };
  CHECK(ends(
      store_flags_bulk(context, kId, disk.inbox, up_to(4'000), {FlagChange::Add, kSeen, {}, {}})));
  auto unseen = disk.counters(disk.inbox).unseen;
  CHECK(unseen > 0);
  CHECK(unseen < 4'000);
  Copied moved;
  CHECK(ends(move_bulk(context, kId, disk.inbox, up_to(2'000), archive, moved)));
  CHECK(moved.to.size() > 0);
  CHECK(left() == 4'000 - moved.to.size());
  auto before = left();
  CHECK(ends(expunge_bulk(context, kId, disk.inbox, up_to(4'000), false), 2));
  CHECK(left() > 2'000);
  CHECK(left() < before);

  // What must be whole is undone, or gone, when the next start has taken it up.
  before = left();
  CHECK(ends(copy_bulk(context, kId, {disk.inbox, archive, up_to(4'000)})));
  disk.transact([&](store::Transaction& tx) {
    REQUIRE(rename_mailbox(tx, kId, "INBOX", "Old", disk.loop.now()));
    return delete_mailbox(tx, kId, "Old", disk.loop.now());
  });
  CHECK(ends(work_off_bulk(context, kId)));
  disk.transact([&](store::Transaction& tx) -> Result<void> {
    CHECK(has_intents(tx, kId));
    abandon_appends(tx, kId);
    return {};
  });
  REQUIRE(disk.loop.run(work_off_bulk({*disk.store, disk.loop}, kId)));
  CHECK(disk.counters(archive).total == moved.to.size());
  disk.transact([&](store::Transaction& tx) -> Result<void> {
    CHECK_FALSE(has_intents(tx, kId));
    return {};
  });
}

TEST_CASE("appending many is all or nothing") {
  OnDisk disk;
  BulkContext context{*disk.store, disk.loop};
  std::vector<NewMessage> messages(1'200, disk.message("hello"));
  auto appended = disk.loop.run(append_bulk(context, kId, disk.inbox, messages));
  REQUIRE(appended);
  CHECK(appended->count == 1'200);
  CHECK(disk.counters(disk.inbox).total == 1'200);
  CHECK(disk.counters(disk.inbox).uid_next == appended->first + 1'200);

  disk.transact([&](store::Transaction& tx) -> Result<void> {
    set_quota(tx, kId, 1'200 * 5 + 100);
    return {};
  });
  CHECK(disk.loop.run(append_bulk(context, kId, disk.inbox, messages)).error().code ==
        ErrorCode::QuotaExceeded);
  messages.resize(50);
  CHECK(disk.loop.run(append_bulk(context, kId, disk.inbox, messages)).error().code ==
        ErrorCode::QuotaExceeded);
  CHECK(disk.counters(disk.inbox).total == 1'200);
  messages.resize(20);
  CHECK(disk.loop.run(append_bulk(context, kId, disk.inbox, messages))->count == 20);

  // A copy that finds the account full at its end leaves nothing behind.
  CHECK(disk.loop
            .run(copy_bulk(context, kId,
                           {disk.inbox, disk.id("Sent"), up_to(appended->first + 1'300)}))
            .error()
            .code == ErrorCode::QuotaExceeded);
  CHECK(disk.counters(disk.id("Sent")).total == 0);
  CHECK(disk.counters(disk.id("Sent")).reserved_from == 0);
}

}  // namespace
}  // namespace hikyaku::mailbox
