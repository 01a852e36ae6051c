#include "store/under_way.h"

#include <atomic>
#include <deque>
#include <doctest/doctest.h>
#include <functional>
#include <future>
#include <optional>
#include <thread>

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

/// A store over them.
struct HangingStore : StoreOnDisk {
  HangingFiles files;

  HangingStore() {
    store.reset();
    auto hanging = options();
    hanging.files = &files;
    auto opened = open_store(std::move(hanging));
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  std::chrono::nanoseconds under_way() const { return store->statistics().write_under_way; }
  /// Whether the store tells that a write goes on, and for how long, while `work` hangs in a sync.
  bool is_seen_while(const std::function<void()>& work) {
    files.hangs = true;
    auto seen = std::async(std::launch::async, [this] {
      bool found = false;
      for (auto end = WritesUnderWay::Clock::now() + 10s;
           !found && WritesUnderWay::Clock::now() < end; std::this_thread::sleep_for(1ms))
        found = under_way() >= 50ms;
      files.hangs = false;
      files.hangs.notify_all();
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
  CHECK(disk.is_seen_while([&] { disk.put("k", "v"); }));
  CHECK(disk.ends());
  // A large body is written by a worker, before any transaction.
  CHECK(disk.is_seen_while([&] { (void)disk.stage(std::string(600'000, 'x')); }));
  CHECK(disk.ends());
}

}  // namespace
}  // namespace hikyaku::store
