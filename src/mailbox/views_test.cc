// Views on a real store.
#include <doctest/doctest.h>

#include "base/async.h"
#include "base/gate.h"
#include "mailbox/intents.h"
#include "mailbox/store_fixture_test.h"
#include "mailbox/view.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = OnDisk::kId;

TEST_CASE("a view is kept, and brought up to date when something changed") {
  OnDisk disk;
  auto views = make_views(*disk.store, 1 << 20);
  disk.deliver(disk.inbox, 700);
  auto first = disk.loop.run(views->open(kId, disk.inbox)).value();
  CHECK(first->size() == 700);
  CHECK(disk.loop.run(views->open(kId, disk.inbox)).value() == first);
  disk.deliver(disk.inbox, 1);
  auto second = disk.loop.run(views->open(kId, disk.inbox)).value();
  CHECK(second->size() == 701);
  CHECK(&(*second)[0] == &(*first)[0]);
  CHECK(first->size() == 700);
  CHECK(!disk.loop.run(views->open(kId, 99)));
  disk.transact([&](store::Transaction& tx) {
    return rename_mailbox(tx, kId, "INBOX", "old", disk.loop.now());
  });
  CHECK(disk.loop.run(views->open(kId, disk.inbox)).value()->size() == 701);
  disk.transact(
      [&](store::Transaction& tx) { return delete_mailbox(tx, kId, "old", disk.loop.now()); });
  CHECK(disk.loop.run(views->open(kId, disk.inbox)).error().code == ErrorCode::NotFound);
}

Task<void> open_into(Views& views, MailboxId mailbox, std::shared_ptr<const View>& into,
                     int& left) {
  auto view = co_await views.open(kId, mailbox);
  if (view) into = *view;
  --left;
}

Task<void> wait_for(int& left) {
  while (left > 0) co_await sleep_for(std::chrono::milliseconds(1));
}

TEST_CASE("sessions that open a mailbox at once share one view") {
  OnDisk disk;
  disk.deliver(disk.inbox, 2'000);
  auto views = make_views(*disk.store, 1 << 20);
  std::vector<std::shared_ptr<const View>> opened(8);
  int left = 8;
  Gate gate{end_process};
  for (auto& view : opened) REQUIRE(gate.spawn(open_into(*views, disk.inbox, view, left)));
  disk.loop.run(wait_for(left));
  for (const auto& view : opened) {
    REQUIRE(view);
    CHECK(view == opened[0]);
  }
  CHECK(opened[0]->size() == 2'000);
  bool ended = false;
  gate.close([&] { ended = true; });
  CHECK(ended);
}

TEST_CASE("who stays with an older view answers for the rows that are kept for him alone") {
  OnDisk disk;
  auto views = make_views(*disk.store, 1 << 20);
  disk.deliver(disk.inbox, 700);  // two blocks: the second changes
  auto open = [&] { return disk.loop.run(views->open(kId, disk.inbox)).value(); };
  auto kept = [&](auto& view) { return views->kept_by(kId, disk.inbox, view); };
  auto first = open();
  CHECK(kept(first) == 0);
  disk.deliver(disk.inbox, 1);
  CHECK(kept(first) == 0);  // nobody has moved on
  auto second = open();
  auto alone = kept(first);
  CHECK(alone >= 188 * sizeof(MessageSummary));
  CHECK(alone < 512 * sizeof(MessageSummary));
  CHECK(kept(second) == 0);
  auto neighbour = first;
  CHECK(kept(first) == alone / 2);
  disk.deliver(disk.inbox, 1);
  auto third = open();
  CHECK(kept(second) >= 189 * sizeof(MessageSummary));
  CHECK(kept(third) == 0);
}

TEST_CASE("memory is bounded: the longest unused view goes first, one in use never") {
  OnDisk disk;
  auto views = make_views(*disk.store, 200'000);
  std::vector<MailboxId> boxes;
  for (auto path : {"Sent", "Trash", "Junk", "Drafts"}) {
    boxes.push_back(disk.id(path));
    disk.deliver(boxes.back(), 1'500);  // 84,000 bytes of rows each
  }
  auto used = disk.loop.run(views->open(kId, boxes[0])).value();
  for (auto box : boxes) CHECK(disk.loop.run(views->open(kId, box)));
  CHECK(views->held().views == 2);
  CHECK(views->held().bytes <= 200'000);
  CHECK(disk.loop.run(views->open(kId, boxes[0])).value() == used);
}

TEST_CASE("everything is there again after a restart, and a cut-short append is not") {
  OnDisk disk;
  disk.deliver(disk.inbox, 10);
  disk.transact([&](store::Transaction& tx) -> Result<void> {
    auto intent = begin_append(tx, kId, disk.inbox, 5, 0, disk.loop.now());
    if (!intent) return std::unexpected(intent.error());
    std::vector<Uid> uids{1, 2, 3};
    auto copied = copy_piece(tx, kId, *intent, disk.inbox, uids, disk.loop.now());
    if (!copied) return std::unexpected(copied.error());
    StoreFlags seen{FlagChange::Add, kSeen, {}, {}};
    auto stored = store_flags(tx, kId, disk.inbox, uids, seen, disk.loop.now());
    if (!stored) return std::unexpected(stored.error());
    expunge_messages(tx, kId, disk.inbox, std::span(uids).first(1), false, disk.loop.now());
    return {};
  });
  disk.store.reset();
  disk.open();
  auto views = make_views(*disk.store, 1 << 20);
  auto view = disk.loop.run(views->open(kId, disk.inbox)).value();
  CHECK(view->size() == 9);
  CHECK((*view)[0].flags == kSeen);
  disk.deliver(disk.inbox, 1);
  CHECK(disk.loop.run(views->open(kId, disk.inbox)).value()->size() == 10);
}

}  // namespace
}  // namespace hikyaku::mailbox
