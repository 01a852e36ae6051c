// Repairs of stores whose index has to be made of what can be read of it.
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "store/epoch.h"
#include "store/index_salvage.h"
#include "store/passing_files_test.h"
#include "store/rocks_index.h"
#include "store/store_files.h"
#include "store/yard_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace fs = std::filesystem;

namespace {

/// Fails for good from some moment on: nothing of a process reaches the disk after it has died.
class DyingFiles final : public PassingFiles {
 public:
  /// So many changes are made yet.
  std::uint64_t left = UINT64_MAX;
  /// What `left` was when an index got another name.
  std::vector<std::uint64_t> renamed_at;

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (fs::path(from).filename().string().starts_with("index")) renamed_at.push_back(left);
    return PassingFiles::rename(from, to);
  }

 private:
  Result<void> before_change() override {
    if (left == 0) return fail(ErrorCode::Io, "the process is dead");
    --left;
    return {};
  }
};

/// What the files of an index and of its copy say.
std::map<std::string, std::string> files_of(const Yard& yard) {
  std::map<std::string, std::string> files;
  for (const char* part : {"index", "checkpoint"})
    for (const auto& entry : fs::directory_iterator(yard.directory.path / part)) {
      std::ifstream file(entry.path(), std::ios::binary);
      files[fs::path(part) / entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
    }
  return files;
}

void lose_list_of_tables(const Yard& yard) {
  for (const auto& entry : fs::directory_iterator(yard.directory.path / "index"))
    if (entry.path().filename().string().starts_with("MANIFEST")) fs::remove(entry.path());
}

}  // namespace

TEST_CASE("the copy of the index has tables of its own") {
  ReclaimedYard yard;
  int tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(yard.directory.path / "checkpoint"))
    if (entry.path().extension() == ".sst") {
      CHECK(std::filesystem::hard_link_count(entry.path()) == 1);
      ++tables;
    }
  CHECK(tables > 0);
  yard.spoil("index");
  CHECK_FALSE(yard.verify().good());
  auto repaired = yard.verify(true);
  CHECK(repaired.perhaps_lost.empty());
  CHECK(Epoch::of(repaired.epoch).turn == 1);
  auto again = yard.verify();
  CHECK(again.good());
  CHECK(again.rows > ReclaimedYard::kRows);
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
}

TEST_CASE("verify: without a copy of the index its damage is found all the same, and salvaged") {
  ReclaimedYard yard;
  bool copy = false;
  SUBCASE("there is none") {
    std::filesystem::remove_all(yard.directory.path / "checkpoint");
  }
  SUBCASE("it is damaged in the same place") {
    copy = true;
    yard.spoil("checkpoint");
  }
  if (!copy) {
    auto report = yard.verify();
    CHECK(report.good());
    CHECK_FALSE(report.rows_compared());
    CHECK(report.rows == 0);
  }
  yard.spoil("index");
  auto found = yard.verify();
  REQUIRE_FALSE(found.good());
  CHECK(found.problems.front().contains("the index cannot be read"));
  CHECK_FALSE(std::filesystem::exists(yard.directory.path / "index.damaged"));
  auto repaired = yard.verify(true);
  CHECK(repaired.lost.empty());
  CHECK(repaired.lost_groups == 0);
  REQUIRE(repaired.perhaps_lost.size() == 1);
  CHECK_MESSAGE(repaired.perhaps_lost[0].starts_with("some rows of account 2, table 0xf0"),
                repaired.perhaps_lost[0]);
  CHECK(Epoch::of(repaired.epoch).turn == 2);
  CHECK(std::filesystem::exists(yard.directory.path / "index.damaged"));
  auto again = yard.verify();
  for (const auto& problem : again.problems) MESSAGE(problem);
  CHECK(again.good());
  CHECK(again.epoch == repaired.epoch);
  auto there = yard.rows_there();
  CHECK(there < ReclaimedYard::kRows);
  CHECK(there > ReclaimedYard::kRows - 500);
  yard.open();
  for (int i = 0; i < 10; ++i) CHECK(yard.get("k" + std::to_string(i)));
  for (int i = 0; i < 30; ++i) CHECK(yard.get("later " + std::to_string(i)));
}

TEST_CASE("a store whose journal is not whole gets a copy of its index at the start") {
  ReclaimedYard yard;
  std::filesystem::remove_all(yard.directory.path / "checkpoint");
  yard.open();
  yard.store.reset();
  CHECK(std::filesystem::exists(yard.directory.path / "checkpoint" / "CURRENT"));
  auto report = yard.verify();
  CHECK(report.good());
  CHECK(report.rows_compared());
  CHECK(report.rows > ReclaimedYard::kRows);
}

TEST_CASE("verify --repair: cut off anywhere within a salvage, a second one ends it") {
  ReclaimedYard yard;
  auto path = yard.directory.path;
  fs::remove_all(path / "checkpoint");
  yard.spoil("index");
  testing::TemporaryDirectory saved;
  fs::copy(path, saved.path / "store", fs::copy_options::recursive);
  std::vector<std::uint64_t> moments{15};
  {
    DyingFiles files;
    auto options = yard.options;
    options.files = &files;
    REQUIRE(verify_store(options, {.repair = true}));
    REQUIRE(files.renamed_at.size() >= 2);
    auto first = UINT64_MAX - files.renamed_at.front();
    auto last = UINT64_MAX - files.renamed_at.back();
    // The new epoch is written, the index gets its place, and what follows that.
    for (auto at = first - 8; at < last + 3; ++at) moments.push_back(at);
  }
  int swapped = 0;
  for (auto changes : moments) {
    CAPTURE(changes);
    fs::remove_all(path);
    fs::copy(saved.path / "store", path, fs::copy_options::recursive);
    DyingFiles files;
    files.left = changes;
    auto options = yard.options;
    options.files = &files;
    CHECK_FALSE(verify_store(options, {.repair = true}));
    swapped += fs::exists(path / "index.damaged") ? 1 : 0;
    // Who starts the server then has what can be read of one or the other.
    yard.open();
    CHECK(yard.store->statistics().read_only == "");
    CHECK(yard.get("k3"));
    CHECK(yard.get("later 29"));
    auto repaired = yard.verify(true);
    CHECK(Epoch::of(repaired.epoch).turn >= 2);
    auto there = yard.rows_there();
    CHECK(there < ReclaimedYard::kRows);
    CHECK(there > ReclaimedYard::kRows - 500);
    CHECK(yard.verify().good());
  }
  CHECK(swapped > 3);
  CHECK(static_cast<std::size_t>(swapped) < moments.size() - 5);
}

TEST_CASE("verify --repair: a salvage that loses rows is in place only when the epoch says so") {
  int cut_off = 0;
  for (int calls = 0;; ++calls) {
    CAPTURE(calls);
    ReclaimedYard yard;
    fs::remove_all(yard.directory.path / "checkpoint");
    yard.spoil("index");
    int left = calls;
    VerifyOptions how{.repair = true};
    how.before_repair = [&](const VerifyReport&) -> Result<void> {
      return left-- > 0 ? Result<void>() : fail(ErrorCode::NoSpace, "no space left");
    };
    auto done = verify_store(yard.options, how);
    if (done) break;
    ++cut_off;
    CHECK(Epoch::of(yard.verify(true).epoch).turn >= 2);
  }
  CHECK(cut_off >= 2);
}

TEST_CASE("verify --repair: what a damaged index had come to is not undone by a copy from before") {
  ReclaimedYard yard;
  // The end of the journal is gone, and nobody noted where it was.
  fs::remove(yard.directory.path / kCleanMark);
  auto [name, at] = yard.find("later 29");
  yard.flip(name, at);
  yard.spoil("index");
  auto repaired = yard.verify(true);
  CHECK_FALSE(repaired.good());
  CHECK_FALSE(repaired.perhaps_lost.empty());
  CHECK(Epoch::of(repaired.epoch).turn == 2);
  yard.open();
  CHECK(yard.get("later 28"));
  CHECK(yard.get("later 29"));
  yard.store.reset();
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
  CHECK(yard.verify().good());
}

TEST_CASE("a start does not undo what an index that it cannot open had come to") {
  ReclaimedYard yard;
  lose_list_of_tables(yard);
  bool lost = false;
  SUBCASE("the journal has all of it") {}
  SUBCASE("the journal has lost its end") {
    lost = true;
    fs::remove(yard.directory.path / kCleanMark);
    auto [name, at] = yard.find("later 29");
    yard.flip(name, at);
  }
  if (lost) {
    auto opened = open_store(yard.options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::Corrupt);
    CHECK_MESSAGE(opened.error().describe().contains("verify --repair"), opened.error().describe());
    CHECK_FALSE(yard.verify(true).perhaps_lost.empty());
  }
  yard.open();
  CHECK(yard.store->statistics().read_only == "");
  CHECK(yard.get("later 29"));
  yard.store.reset();
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
  CHECK(yard.verify().good());
}

TEST_CASE("a start that has nothing as good as an index that it cannot open moves nothing") {
  ReclaimedYard yard;
  lose_list_of_tables(yard);
  int least = ReclaimedYard::kRows;
  SUBCASE("the journal lacks the end that it was closed with") {
    auto [name, at] = yard.find("later 29");
    yard.flip(name, at);
  }
  SUBCASE("a group within the journal is damaged") {
    fs::remove(yard.directory.path / kCleanMark);
    auto [name, at] = yard.find("later 10");
    yard.flip(name, at);
  }
  SUBCASE("the copy is damaged") {
    yard.spoil("checkpoint");
  }
  SUBCASE("the copy is damaged, and what tells how far the index had come") {
    yard.spoil("checkpoint");
    for (const auto& entry : fs::directory_iterator(yard.directory.path / "index"))
      if (entry.path().extension() == ".sst")
        yard.flip((fs::path("..") / "index" / entry.path().filename()).string(), 20);
    PosixFileSystem files;
    REQUIRE(salvage_position(yard.options, files) == JournalPosition{});
    least -= 500;
  }
  auto before = files_of(yard);
  for (int starts = 0; starts < 2; ++starts) {
    auto opened = open_store(yard.options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::Corrupt);
    CHECK_MESSAGE(opened.error().describe().contains("verify --repair"), opened.error().describe());
    CHECK(files_of(yard) == before);
    CHECK_FALSE(fs::exists(yard.directory.path / "index.damaged"));
  }
  CHECK_FALSE(yard.verify(true).perhaps_lost.empty());
  CHECK(yard.rows_there() >= least);
  yard.open();
  CHECK(yard.store->statistics().read_only == "");
  for (int i = 0; i < 30; ++i) CHECK(yard.get("later " + std::to_string(i)));
  yard.store.reset();
  CHECK(yard.verify().good());
}

TEST_CASE("a start ends what a crash has left of putting another index in place") {
  ReclaimedYard yard;
  auto path = yard.directory.path;
  bool verified = false;
  SUBCASE("the index is put aside") {}
  SUBCASE("nothing is put aside yet") {
    verified = true;
  }
  fs::remove_all(path / "checkpoint");
  if (!verified) {
    fs::rename(path / "index", path / "index.next");
    fs::create_directory(path / "index.damaged");
    std::ofstream(path / "index.damaged" / "000001.sst") << "damaged";
  } else {
    fs::copy(path / "index", path / "index.next", fs::copy_options::recursive);
    yard.spoil("index");
  }
  if (verified) CHECK(yard.verify().good());
  CHECK(yard.rows_there() == ReclaimedYard::kRows);
  CHECK_FALSE(fs::exists(path / "index.next"));
  CHECK(yard.verify().good());
}
