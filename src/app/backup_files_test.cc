// Backups as files, of stores that are only files here.
#include "app/backup_files.h"

#include <doctest/doctest.h>
#include <fstream>
#include <sys/stat.h>

#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A store of two files, and where its backups go.
struct Bench {
  testing::TemporaryDirectory top;
  Instance instance = Instance::in(top.path / "mail");
  store::Frozen frozen;
  BackupPlan plan;

  Bench() {
    for (std::string name : {"journal/1", "index/2"}) {
      write(instance.data / name, std::string(3'000'000, 'x'));
      frozen.files.push_back({name, name, 3'000'000, false});
    }
    frozen.mark_name = "COPY";
    frozen.store_id = std::string(16, 's');
    plan.repository = top.path / "backups";
    plan.data = instance.data;
    plan.instance = &instance;
  }

  std::size_t entries() const {
    std::size_t count = 0;
    for (auto& entry : fs::directory_iterator(plan.repository))
      count += entry.path().filename() != ".lock";
    return count;
  }
};

TEST_CASE("one backup at a time: a second one does not touch what the first has made so far") {
  Bench bench;
  auto second = bench.plan;
  bool asked = false;
  bench.plan.progress = [&](std::uint64_t, std::uint64_t) {
    if (std::exchange(asked, true)) return;
    auto refused = make_backup(bench.frozen, second);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Conflict);
  };
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  CHECK(asked);
  for (auto& file : bench.frozen.files)
    CHECK(fs::file_size(made->store() / file.to) == file.length);
  CHECK(bench.entries() == 1);
  CHECK(make_backup(bench.frozen, second));
  CHECK(list_backups(bench.plan.repository)->size() == 2);
}

TEST_CASE("what was cut off goes with the next backup") {
  Bench bench;
  write(bench.plan.repository / ".partial-20260101T000000Z/store/journal/1", "x");
  CHECK(make_backup(bench.frozen, bench.plan));
  CHECK(bench.entries() == 1);
}

TEST_CASE("a backup of which somebody removes a file is none") {
  Bench bench;
  bench.plan.progress = [&](std::uint64_t done, std::uint64_t total) {
    if (done != total) return;
    for (auto& entry : fs::directory_iterator(bench.plan.repository))
      if (entry.is_directory()) fs::remove(entry.path() / "store/journal/1");
  };
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE_FALSE(made);
  CHECK(made.error().text.contains("journal/1"));
  CHECK(bench.entries() == 0);
}

}  // namespace
}  // namespace hikyaku::app
