// Reclaiming: space returns, and nothing that anybody owns, reads or may bring back goes with it.
#include <doctest/doctest.h>
#include <map>
#include <thread>

#include "base/async.h"
#include "base/gate.h"
#include "store/key.h"
#include "store/rows.h"
#include "store/simulated_store_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

TEST_CASE("reclaim: the space of bodies that nobody owns returns, the others stay whole") {
  SimulatedStore disk;
  std::map<int, std::pair<BlobId, std::size_t>> kept;
  std::vector<BlobId> gone;
  for (int i = 0; i < 300; ++i) {
    auto size = static_cast<std::size_t>(i % 40 == 7 ? 400'000 : 3'000 + i * 10);
    auto id = disk.add(i, size);
    if (i % 4 == 0 || i % 40 == 7) kept[i] = {id, size};
    if (i % 4 != 0 && i % 80 != 7) {
      disk.drop(i, id);
      kept.erase(i);
      gone.push_back(id);
    }
  }
  auto before = disk.use();
  CHECK(before.retained_bytes > 600'000);

  SUBCASE("not before its time") {
    ReclaimRules rules = disk.at_once();
    rules.before = disk.loop.now() - std::chrono::hours(24);
    auto done = disk.reclaim(rules);
    CHECK(done.bodies_forgotten == 0);
    for (auto id : gone) CHECK(disk.loop.run(disk.store->open_blob(id)));
  }
  SUBCASE("after its time") {
    auto reading = disk.loop.run(disk.store->open_blob(gone[0]));
    REQUIRE(reading);
    auto done = disk.reclaim();
    CHECK(done.bodies_forgotten == gone.size());
    CHECK(done.bodies_moved > 20);
    CHECK(done.segments_removed > 5);
    auto after = disk.use();
    CHECK(after.retained_bytes == 0);
    CHECK(after.journal_bytes < before.journal_bytes / 2);
    CHECK(after.journal_bytes < after.live_bytes * 2 + (512 << 10));
    // Who was reading reads on.
    CHECK(disk.loop.run((*reading)->read(0, 100)));
    for (auto id : gone) {
      auto opened = disk.loop.run(disk.store->open_blob(id));
      REQUIRE_FALSE(opened);
      CHECK(opened.error().code == ErrorCode::NotFound);
    }
  }
  SUBCASE("not while a body is staged that nobody owns yet") {
    auto writer = disk.store->stage();
    REQUIRE(disk.loop.run(writer->append(some_bytes(5000, 600'000))));
    disk.reclaim();
    auto staged = disk.loop.run(writer->finish());
    REQUIRE(staged);
    writer.reset();
    disk.reclaim();
    BlobId id = 0;
    REQUIRE(disk.loop.run(disk.store->transact({1}, [&](Transaction& tx) -> Result<void> {
      id = tx.own(*staged, disk.owner(5000));
      return {};
    })));
    *staged = {};
    disk.reclaim();
    CHECK(disk.reads(5000, id, 600'000));
    kept[5000] = {id, 600'000};
  }
  for (auto& [number, body] : kept)
    CHECK_MESSAGE(disk.reads(number, body.first, body.second), number);
  disk.verify();
  for (auto& [number, body] : kept) CHECK(disk.reads(number, body.first, body.second));
  // Twice is not more than once, also after a restart.
  disk.reclaim();
  disk.verify();
  for (auto& [number, body] : kept) CHECK(disk.reads(number, body.first, body.second));
}

TEST_CASE("reclaim: bodies that move while many are being opened are found where they are then") {
  SimulatedStore disk;
  std::vector<int> numbers;
  std::vector<BlobId> ids;
  for (int i = 0; i < 60; ++i) {
    auto id = disk.add(i, 3'000);
    if (i % 4 == 0) {
      numbers.push_back(i);
      ids.push_back(id);
    } else {
      disk.drop(i, id);
    }
  }
  disk.open();
  OpenedBlobs opened;
  bool ended = false;
  Gate gate{end_process};
  auto open = [&]() -> Task<void> {
    opened = co_await disk.store->open_blobs(ids);
    ended = true;
  };
  // Their places are known, and no segment is open yet.
  disk.pool.next = true;
  gate.spawn(open());
  while (!disk.pool.paused) disk.loop.run_ready();
  CHECK(disk.reclaim().bodies_moved > 10);
  disk.pool.go_on();
  disk.loop.run([](bool& done) -> Task<void> {
    while (!done) co_await yield_now();
  }(ended));
  gate.close([] {});
  REQUIRE(opened.size() == ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    REQUIRE_MESSAGE(opened[i], opened[i].error().describe());
    auto bytes = disk.loop.run((*opened[i])->read(0, 1 << 20));
    REQUIRE(bytes);
    CHECK(*bytes == some_bytes(static_cast<std::uint64_t>(numbers[i]), 3'000));
  }
}

TEST_CASE("reclaim: rows of bodies that do not wait are given up, and forgetting ends") {
  SimulatedStore disk;
  auto kept = disk.add(1, 5'000);
  auto dropped = disk.add(2, 5'000);
  disk.drop(2, dropped);
  auto long_ago = disk.loop.now() - std::chrono::hours(24);
  REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
    tx.put(freed_key(long_ago, kept), "");
    tx.put(freed_key(long_ago, dropped), "");
    tx.put(freed_key(long_ago, 777), "");
    tx.put(Key(kInstance, kFreedTable).u32(5), "");
    return {};
  })));
  CHECK(disk.reclaim().bodies_forgotten == 1);
  CHECK(disk.reads(1, kept, 5'000));
  CHECK_FALSE(disk.loop.run(disk.store->open_blob(dropped)));
  disk.verify();
}

TEST_CASE("reclaim: bodies of segments that span many others are found in one walk, in pieces") {
  SimulatedStore disk;
  std::map<int, BlobId> there;
  auto deliver = [&](int from, int to) {
    for (int i = from; i < to; ++i) there[i] = disk.add(i, 9'000);
  };
  deliver(0, 50);
  // Between those and the next there are 15,000 others.
  auto next_id = there[49] + 15'001;
  REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
    tx.put(next_blob_key(), encode_number(next_id));
    return {};
  })));
  disk.open();
  deliver(50, 100);
  REQUIRE(there[50] == next_id);
  for (auto id = there[49] + 1; id < next_id; id += 1'000)
    REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
      for (auto each = id; each < id + 1'000; ++each)
        tx.put(place_key(each), encode(BodyPlace{.segment = 9'999}));
      return {};
    })));
  for (int i = 0; i < 100; ++i)
    if (i % 4 != 0) {
      disk.drop(i, there[i]);
      there.erase(i);
    }
  disk.faults->places = 0;
  std::uint64_t moved = 0;
  for (bool more = true; more;) {
    auto before = disk.faults->places.load();
    auto done = disk.loop.run(disk.store->reclaim(disk.at_once()));
    REQUIRE(done);
    CHECK(disk.faults->places.load() - before <= 10'000);
    moved += done->bodies_moved;
    more = done->more;
  }
  CHECK(moved > 15);
  CHECK(disk.faults->places.load() > 15'000);
  CHECK(disk.faults->places.load() < 2 * 15'100);
  for (auto& [number, id] : there) CHECK(disk.reads(number, id, 9'000));
}

TEST_CASE(
    "reclaim: of a segment that was written on until now nothing stays where nothing is owned") {
  SimulatedStore disk;
  auto body = disk.add(1, 400'000);
  disk.drop(1, body);
  auto before = disk.use();
  // The log is too short to be left for it, which would give another look at everything.
  auto done = disk.reclaim();
  CHECK(done.bodies_forgotten == 1);
  // The worker that has synced it may hold it for another moment.
  for (int i = 0; done.segments_removed == 0 && i < 10'000; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    done = disk.reclaim();
  }
  CHECK(disk.use().journal_bytes < before.journal_bytes - 400'000);
  disk.verify();
}

TEST_CASE("reclaim: segments that a backup keeps are counted when they go") {
  SimulatedStore disk;
  for (int i = 0; i < 60; ++i) disk.drop(i, disk.add(i, 9'000));
  Gate gate{end_process};
  Reclaimed first;
  bool ended = false;
  auto all = [&]() -> Task<void> {
    for (bool more = true; more;) {
      auto done = co_await disk.store->reclaim(disk.at_once());
      REQUIRE(done);
      first.segments_removed += done->segments_removed;
      first.bytes_returned += done->bytes_returned;
      more = done->more;
    }
    ended = true;
  };
  auto until = [&](auto condition) -> Task<void> {
    while (!condition()) co_await sleep_for(std::chrono::milliseconds(1));
  };
  disk.faults->removing = false;
  disk.pool.pausing = true;
  gate.spawn(all());
  disk.loop.run(until([&] { return disk.pool.paused.load(); }));
  auto frozen = disk.loop.run(disk.store->freeze());
  REQUIRE_MESSAGE(frozen, frozen.error().describe());
  disk.pool.go_on();
  disk.loop.run(until([&] { return ended; }));
  CHECK(first.segments_removed == 0);
  CHECK(first.bytes_returned == 0);
  for (const auto& file : (*frozen)->files)
    if (file.from.starts_with("journal/"))
      CHECK(disk.files.open("/store/" + file.from, OpenMode::Read));
  frozen->reset();
  CHECK(disk.reclaim().segments_removed > 1);
  gate.close([] {});
}

TEST_CASE("reclaim: what is given up while reclaiming goes on stays") {
  SimulatedStore disk;
  auto early = disk.add(1, 5'000);
  auto late = disk.add(2, 5'000);
  disk.drop(1, early);
  disk.loop.advance(std::chrono::seconds(1));
  auto rules = disk.at_once();
  // A retention that is longer than the world is old is no reason to forget everything.
  rules.before = Time{} - std::chrono::hours(1);
  CHECK(disk.reclaim(rules).bodies_forgotten == 0);
  rules.before = disk.loop.now();
  disk.loop.advance(std::chrono::seconds(1));
  disk.drop(2, late);
  disk.loop.advance(std::chrono::minutes(10));
  CHECK(disk.reclaim(rules).bodies_forgotten == 1);
  CHECK_FALSE(disk.loop.run(disk.store->open_blob(early)));
  CHECK(disk.reads(2, late, 5'000));
  disk.verify();
}

TEST_CASE("reclaim: what lost its owner by a clock that was ahead goes in the end, too") {
  SimulatedStore disk;
  auto early = disk.add(1, 1000);
  auto late = disk.add(2, 1000);
  auto again = disk.add(3, 1000);
  disk.drop(1, early);
  // As a clock that is a year ahead dates it.
  auto now = disk.loop.now();
  auto ahead = now + std::chrono::hours(24 * 365);
  for (auto id : {late, again}) {
    disk.drop(id == late ? 2 : 3, id);
    REQUIRE(disk.loop.run(disk.store->transact({kInstance}, [=](Transaction& tx) -> Result<void> {
      auto was = decode_number(*tx.get(freed_at_key(id)));
      tx.erase(freed_key(Time(milliseconds(static_cast<std::int64_t>(was))), id));
      auto when = static_cast<std::uint64_t>(ahead.time_since_epoch().count());
      tx.put(freed_at_key(id), encode_number(when));
      tx.put(freed_key(ahead, id), "");
      return {};
    })));
  }
  REQUIRE(disk.loop.run(disk.store->transact({1}, [=](Transaction& tx) -> Result<void> {
    tx.own(again, SimulatedStore::owner(3));
    return {};
  })));
  ReclaimRules rules{.before = disk.loop.now() + std::chrono::hours(1)};
  CHECK(disk.reclaim(rules).bodies_forgotten == 1);
  CHECK(disk.reads(2, late, 1000));
  // Once the clock is believed, its time begins; and no sooner.
  rules.clock_is_settled = true;
  rules.before = disk.loop.now() - std::chrono::hours(1);
  CHECK(disk.reclaim(rules).bodies_forgotten == 0);
  CHECK(disk.reads(2, late, 1000));
  rules.before = disk.loop.now() + std::chrono::hours(1);
  CHECK(disk.reclaim(rules).bodies_forgotten == 1);
  CHECK_FALSE(disk.reads(2, late, 1000));
  CHECK(disk.reads(3, again, 1000));
  disk.verify();
}

TEST_CASE("reclaim: a body that is owned again in time stays") {
  SimulatedStore disk;
  auto id = disk.add(1, 5000);
  disk.drop(1, id);
  REQUIRE(disk.loop.run(disk.store->transact({1}, [=](Transaction& tx) -> Result<void> {
    tx.own(id, SimulatedStore::owner(2));
    return {};
  })));
  CHECK(disk.reclaim().bodies_forgotten == 0);
  CHECK(disk.reads(1, id, 5000));
  disk.verify();
}

TEST_CASE("reclaim: a full disk, and the way out of it") {
  SimulatedStore disk;
  std::map<int, BlobId> there;
  disk.files.set_capacity(3 << 20);
  int number = 0;
  auto fill = [&]() -> Task<bool> {
    while (number < 10'000) {
      auto writer = disk.store->stage();
      if (!co_await writer->append(some_bytes(static_cast<std::uint64_t>(number), 8'000)))
        co_return true;
      auto staged = co_await writer->finish();
      if (!staged) co_return true;
      BlobId id = 0;
      auto done = co_await disk.store->transact({1}, [&](Transaction& tx) -> Result<void> {
        id = tx.own(*staged, SimulatedStore::owner(number));
        return {};
      });
      if (!done) {
        CHECK(done.error().code == ErrorCode::NoSpace);
        co_return true;
      }
      there[number++] = id;
    }
    co_return false;
  };
  for (int round = 0; round < 3; ++round) {
    REQUIRE(disk.loop.run(fill()));
    auto full = there.size();
    CHECK(full > 100);
    for (auto& [n, id] : there) CHECK(disk.reads(n, id, 8'000));
    // Something is given up (another program leaves the disk a little room, as the reserve does).
    disk.files.set_capacity((3 << 20) + (256 << 10));
    int dropped = 0;
    for (auto it = there.begin(); it != there.end();) {
      if (dropped++ % 3 == 0) {
        ++it;
        continue;
      }
      disk.drop(it->first, it->second);
      it = there.erase(it);
    }
    auto done = disk.reclaim();
    CHECK(done.bytes_returned > 1 << 20);
    disk.files.set_capacity(3 << 20);
    if (round == 1) disk.crash();
    auto left = there.size();
    REQUIRE(disk.loop.run(fill()));
    CHECK(there.size() > left + full / 4);
    for (auto& [n, id] : there) CHECK(disk.reads(n, id, 8'000));
    disk.files.set_capacity((3 << 20) + (512 << 10));
    disk.verify();
    disk.files.set_capacity(3 << 20);
  }
}
