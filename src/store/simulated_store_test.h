// A store on a simulated disk, whose index and workers do what a test wants. For tests.
#pragma once

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <random>
#include <string>

#include "store/faulty_index_test.h"
#include "store/open.h"
#include "store/simulated_file_system.h"
#include "store/verify.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::store {

/// The same for the same seed.
inline std::string some_bytes(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i)  // half of it can be compressed away
    bytes[i] = i % 2 ? 'x' : static_cast<char>(random());
  return bytes;
}

/// Keeps back what is given to it once a group has said that segments go, if told to.
class PausingPool final : public WorkerPool {
 public:
  explicit PausingPool(std::shared_ptr<IndexFaults> faults) : faults_(std::move(faults)) {}
  void submit(Callback work) override {
    if (next.exchange(false)) {
      late_ = std::move(work);
      paused = true;
    } else if (pausing && faults_->removing.exchange(false)) {
      pausing = false;
      late_ = std::move(work);
      paused = true;
    } else {
      pool_.submit(std::move(work));
    }
  }
  void go_on() {
    paused = false;
    pool_.submit(std::move(late_));
  }
  std::atomic<bool> next{false};  ///< what comes next is kept back, whatever it is
  std::atomic<bool> pausing{false};
  std::atomic<bool> paused{false};

 private:
  std::shared_ptr<IndexFaults> faults_;
  Callback late_;
  testing::TestPool pool_;
};

/// A store with small segments. Bodies have numbers, by which their bytes and owners are known.
struct SimulatedStore {
  static constexpr Table kTable = 0xF0;  ///< of their owners

  testing::TestLoop loop;
  SimulatedFileSystem files{1};
  std::shared_ptr<MemoryIndexDisk> index = std::make_shared<MemoryIndexDisk>();
  std::shared_ptr<IndexFaults> faults = std::make_shared<IndexFaults>();
  PausingPool pool{faults};
  std::unique_ptr<Store> store;

  SimulatedStore() {
    index->writable = [this] { return files.powered(); };
    faults->copy = [this](const std::string& directory) { return files.make_directory(directory); };
    open();
  }
  Options options() {
    Options options{.directory = "/store", .workers = pool, .clock = loop};
    options.if_missing = IfMissing::Make;
    options.files = &files;
    options.reserve = 0;
    options.smallest_segment = 64 << 10;
    options.largest_segment = 256 << 10;
    options.lazy_delay = std::chrono::milliseconds(5);
    options.open_index = [this]() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<FaultyIndex>(index, faults);
    };
    options.journal_failed = [](const Error&) {};
    return options;
  }
  void open() {
    store.reset();
    auto opened = open_store(options());
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
    REQUIRE(store->statistics().read_only == "");
  }
  void crash() {
    files.power_off();
    store.reset();
    files.power_on();
    open();
  }

  static std::string owner(int number) {
    return Key(1 + static_cast<AccountId>(number) % 3, kTable)
        .u32(static_cast<std::uint32_t>(number))
        .bytes();
  }
  BlobId add(int number, std::size_t size) { return loop.run(add_body(number, size)); }
  Task<BlobId> add_body(int number, std::size_t size) {
    auto writer = store->stage("salvage");
    REQUIRE(co_await writer->append(some_bytes(static_cast<std::uint64_t>(number), size)));
    auto staged = co_await writer->finish();
    REQUIRE(staged);
    BlobId id = 0;
    auto done = co_await store->transact({1}, [&](Transaction& tx) -> Result<void> {
      id = tx.own(*staged, owner(number));
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
    co_return id;
  }
  void drop(int number, BlobId id) {
    REQUIRE(loop.run(store->transact({1}, [=](Transaction& tx) -> Result<void> {
      tx.disown(id, owner(number));
      return {};
    })));
  }
  bool reads(int number, BlobId id, std::size_t size) {
    auto blob = loop.run(store->open_blob(id));
    if (!blob) return false;
    std::string bytes;
    while (bytes.size() < size) {
      auto piece = loop.run((*blob)->read(bytes.size(), 1 << 20));
      REQUIRE_MESSAGE(piece, piece.error().describe());
      REQUIRE_FALSE(piece->empty());
      bytes += *piece;
    }
    return bytes == some_bytes(static_cast<std::uint64_t>(number), size);
  }
  static ReclaimRules at_once() {
    return {.before = Time::max(), .dead_percent = 30, .least_age = {}, .urgent = true};
  }
  Reclaimed reclaim(ReclaimRules rules = at_once()) {
    Reclaimed all;
    for (int i = 0; i < 1000; ++i) {
      auto done = loop.run(store->reclaim(rules));
      REQUIRE_MESSAGE(done, done.error().describe());
      all.bodies_forgotten += done->bodies_forgotten;
      all.bodies_moved += done->bodies_moved;
      all.segments_removed += done->segments_removed;
      all.bytes_returned += done->bytes_returned;
      all.busy = done->busy;
      if (!done->more) return all;
    }
    FAIL("reclaiming does not end");
    return all;
  }
  SpaceUse use() {
    auto use = loop.run(store->space_use());
    REQUIRE(use);
    return *use;
  }
  void verify() {
    store.reset();
    VerifyOptions how;
    how.open_scratch = []() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<MemoryIndex>(std::make_shared<MemoryIndexDisk>());
    };
    auto report = verify_store(options(), how);
    REQUIRE_MESSAGE(report, report.error().describe());
    for (const auto& problem : report->problems) MESSAGE(problem);
    CHECK(report->good());
    open();
  }
};

}  // namespace hikyaku::store
