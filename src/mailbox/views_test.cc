// Views on a real store.
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>

#include "base/async.h"
#include "base/gate.h"
#include "mailbox/intents.h"
#include "mailbox/view.h"
#include "store/open.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = 5;

struct OnDisk {
  testing::TestLoop loop;
  testing::TestPool pool;
  std::filesystem::path directory;
  std::unique_ptr<store::Store> store;
  MailboxId inbox = 0;

  OnDisk() {
    auto pattern = (std::filesystem::temp_directory_path() / "hikyaku-mailbox-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    directory = pattern;
    open();
    transact([this](store::Transaction& tx) -> Result<void> {
      create_standard_mailboxes(tx, kId, Language::English, loop.now());
      return {};
    });
    inbox = id("INBOX");
  }
  ~OnDisk() {
    store.reset();
    std::filesystem::remove_all(directory);
  }
  void open() {
    store::Options options{.directory = directory.string(), .workers = pool, .clock = loop};
    options.reserve = 0;
    options.smallest_segment = 1 << 20;
    auto opened = store::open_store(std::move(options));
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  void transact(store::Step step) {
    auto done = loop.run(store->transact({kId}, std::move(step)));
    REQUIRE_MESSAGE(done, done.error().describe());
  }
  MailboxId id(std::string path) {
    return loop.run(store->read([path](store::Reader& reader) {
      auto info = find_mailbox(reader, kId, path);
      return info ? info->id : 0;
    }));
  }
  void deliver(MailboxId mailbox, int count, std::string text = "hello") {
    auto writer = store->stage();
    REQUIRE(loop.run(writer->append(text)));
    NewMessage message;
    message.body = loop.run(writer->finish()).value();
    transact([=, this](store::Transaction& tx) -> Result<void> {
      for (int i = 0; i < count; ++i)
        if (auto placed = mailbox::deliver(tx, kId, mailbox, message, loop.now()); !placed)
          return std::unexpected(placed.error());
      return {};
    });
  }
};

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
  Gate gate;
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
  bool done = false;
  while (!done)
    disk.transact([&](store::Transaction& tx) -> Result<void> {
      done = recover_intents(tx, kId, disk.loop.now());
      return {};
    });
  auto views = make_views(*disk.store, 1 << 20);
  auto view = disk.loop.run(views->open(kId, disk.inbox)).value();
  CHECK(view->size() == 9);
  CHECK((*view)[0].flags == kSeen);
  disk.deliver(disk.inbox, 1);
  CHECK(disk.loop.run(views->open(kId, disk.inbox)).value()->size() == 10);
}

}  // namespace
}  // namespace hikyaku::mailbox
