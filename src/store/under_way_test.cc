#include "store/under_way.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <doctest/doctest.h>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "store/memory_index.h"
#include "store/passing_files_test.h"
#include "store/store_on_disk_test.h"

namespace hikyaku::store {
namespace {

using namespace std::chrono_literals;

TEST_CASE("under way: the oldest write counts, and an ended one no longer") {
  WritesUnderWay all;
  WritesUnderWay::Clock::time_point start{1h};
  CHECK(all.oldest(start) == 0s);
  std::optional<WritesUnderWay::Write> first, second;
  first.emplace(all, start);
  second.emplace(all, start + 5s);
  CHECK(all.oldest(start + 8s) == 8s);
  first.reset();
  CHECK(all.oldest(start + 8s) == 3s);
  first.emplace(all, start + 7s);
  CHECK(all.oldest(start + 8s) == 3s);
  second.reset();
  CHECK(all.oldest(start + 8s) == 1s);
  first.reset();
  CHECK(all.oldest(start + 8s) == 0s);
}

TEST_CASE("under way: more writes than places hide none that began before") {
  WritesUnderWay all;
  WritesUnderWay::Clock::time_point start{1h};
  std::deque<WritesUnderWay::Write> many;
  for (int i = 0; i < 500; ++i) many.emplace_back(all, start + std::chrono::seconds(i));
  CHECK(all.oldest(start + 1000s) == 1000s);
  many.clear();
  CHECK(all.oldest(start + 1000s) == 0s);
}

/// Files whose syncs end when the test lets them.
class HangingFiles final : public PassingFiles {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TRY(auto file, PassingFiles::open(path, mode));
    return std::make_unique<HangingFile>(std::move(file), hangs);
  }
  std::atomic<bool> hangs = false;

 private:
  class HangingFile final : public File {
   public:
    HangingFile(std::unique_ptr<File> file, std::atomic<bool>& hangs)
        : file_(std::move(file)), hangs_(hangs) {}
    Result<std::size_t> write_some(std::uint64_t offset,
                                   std::span<const std::string_view> pieces) override {
      return file_->write_some(offset, pieces);
    }
    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
      return file_->read(offset, into);
    }
    std::optional<std::size_t> read_cached(std::uint64_t offset, std::span<char> into) override {
      return file_->read_cached(offset, into);
    }
    Result<void> sync_data() override {
      hangs_.wait(true);
      return file_->sync_data();
    }
    Result<void> preallocate(std::uint64_t size) override { return file_->preallocate(size); }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() override { return file_->size(); }

   private:
    std::unique_ptr<File> file_;
    std::atomic<bool>& hangs_;
  };
};

/// An index whose flushes end when the test lets them.
class HangingIndex final : public Index {
 public:
  explicit HangingIndex(std::atomic<bool>& hangs) : hangs_(hangs) {}
  JournalPosition position() const override { return index_.position(); }
  Result<void> apply(const Overlay& writes, JournalPosition position) override {
    return index_.apply(writes, position);
  }
  std::shared_ptr<const IndexView> view() override { return index_.view(); }
  Result<void> flush() override {
    hangs_.wait(true);
    return index_.flush();
  }
  JournalPosition flushed() const override { return index_.flushed(); }

 private:
  MemoryIndex index_{std::make_shared<MemoryIndexDisk>()};
  std::atomic<bool>& hangs_;
};

/// A store over them, which soon flushes its index.
struct HangingStore : StoreOnDisk {
  static constexpr int kTail = 20;
  HangingFiles files;
  std::atomic<bool> flush_hangs = false;

  HangingStore() {
    store.reset();
    std::filesystem::remove_all(directory.path);
    auto hanging = options();
    hanging.files = &files;
    hanging.most_tail_records = kTail;
    hanging.open_index = [this]() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<HangingIndex>(flush_hangs);
    };
    auto opened = open_store(std::move(hanging));
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  ~HangingStore() { store.reset(); }
  std::chrono::nanoseconds under_way() const {
    return std::min(store->statistics().write_under_way, store->write_under_way());
  }
  /// Whether the store tells that a write goes on, and for how long, while `work` waits for what
  /// `hangs`.
  bool is_seen_while(std::atomic<bool>& hangs, const std::function<void()>& work) {
    hangs = true;
    auto seen = std::async(std::launch::async, [this, &hangs] {
      bool found = false;
      for (auto end = WritesUnderWay::Clock::now() + 10s;
           !found && WritesUnderWay::Clock::now() < end; std::this_thread::sleep_for(1ms))
        found = under_way() >= 50ms;
      hangs = false;
      hangs.notify_all();
      return found;
    });
    work();
    return seen.get();
  }
  bool ends() const {
    for (int i = 0; i < 5000 && under_way() != 0s; ++i) std::this_thread::sleep_for(1ms);
    return under_way() == 0s;
  }
};

TEST_CASE("under way: a store whose disk hangs tells so while it hangs") {
  HangingStore disk;
  CHECK(disk.ends());
  CHECK(disk.is_seen_while(disk.files.hangs, [&] { disk.put("k", "v"); }));
  CHECK(disk.ends());
  // A large body is written by a worker, before any transaction.
  CHECK(disk.is_seen_while(disk.files.hangs, [&] { (void)disk.stage(std::string(600'000, 'x')); }));
  CHECK(disk.ends());
}

TEST_CASE("under way: a flush of the index is no write until somebody has to wait for it") {
  HangingStore disk;
  auto put = [&](int count) {
    for (int i = 0; i < count; ++i) disk.put("k" + std::to_string(i), "v");
  };
  disk.flush_hangs = true;
  put(HangingStore::kTail + 5);
  CHECK(disk.store->statistics().tail_records > HangingStore::kTail);
  CHECK(disk.store->statistics().index_flushes == 0);
  CHECK(disk.ends());
  CHECK(disk.is_seen_while(disk.flush_hangs, [&] { put(4 * HangingStore::kTail); }));
  CHECK(disk.ends());
  CHECK(disk.store->statistics().index_flushes > 0);
}

}  // namespace
}  // namespace hikyaku::store
