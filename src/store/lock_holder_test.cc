#include "store/lock_holder.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <thread>

#include "store/open.h"
#include "store/posix_file_system.h"
#include "store/rocks_index.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;
using namespace std::chrono_literals;

TEST_CASE("a process is known by its number and its verb, and tells no more of its command line") {
  using namespace std::string_view_literals;
  CHECK(describe_process(7, "/usr/bin/hikyaku\0undelete\0--purge\0"sv) == "7 (hikyaku undelete)");
  CHECK(describe_process(7, "hikyaku\0app-password\0add\0anna@alpha.test\0"sv) ==
        "7 (hikyaku app-password add)");
  CHECK(describe_process(7, "hikyaku\0export\0/secret\0"sv) == "7 (hikyaku export)");
  CHECK(describe_process(7, "hikyaku\0--dir\0x\0verify"sv) == "7 (hikyaku)");
  CHECK(describe_process(7, "a\nb\0verify"sv) == "7");
  CHECK(describe_process(7, "") == "7");
}

namespace {

struct Lines final : LogSink {
  std::string text;
  void write(LogLevel, std::string_view line) override { text.append(line).append("\n"); }
};

struct Bench {
  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  Lines lines;
  Options options{.directory = directory.path.string(),
                  .workers = pool,
                  .clock = loop,
                  .log = Log(lines, LogLevel::Warn),
                  .if_missing = IfMissing::Make};

  Bench() {
    REQUIRE(open_store(options));
    options.if_missing = IfMissing::Refuse;
  }
  std::unique_ptr<FileLock> hold() {
    return PosixFileSystem().lock(lock_path(options.directory), LockScope::Directory).value();
  }
};

}  // namespace

TEST_CASE("a store that another process holds is waited for, and who it is is told once") {
  Bench bench;
  bench.options.lock_patience = 60s;
  auto held = bench.hold();
  std::thread other([&] {
    std::this_thread::sleep_for(500ms);
    held.reset();
  });
  auto opened = open_store(bench.options);
  other.join();
  REQUIRE_MESSAGE(opened, opened.error().describe());
  auto said = bench.lines.text.find("LOCK is held by process " + describe_this_process());
  CHECK(said != std::string::npos);
  CHECK(bench.lines.text.find("store.locked", said) == std::string::npos);
}

TEST_CASE("a store that another process holds is not waited for without end, nor unasked") {
  Bench bench;
  auto held = bench.hold();
  for (auto patience : {0ms, 300ms}) {
    bench.options.lock_patience = patience;
    auto began = std::chrono::steady_clock::now();
    auto opened = open_store(bench.options);
    auto took = std::chrono::steady_clock::now() - began;
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::Conflict);
    CHECK(took >= patience);
    CHECK(took < patience + 20s);
    CHECK((patience == 0ms) == bench.lines.text.empty());
  }
}

TEST_CASE("a store whose lock somebody removes stays with whoever has it, who is named") {
  Bench bench;
  auto held = bench.hold();
  std::filesystem::remove(bench.directory.path / "LOCK");
  for (int tries = 0; tries < 2; ++tries) {  // the first makes the file again
    auto opened = open_store(bench.options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::Conflict);
    CHECK(opened.error().describe() ==
          bench.options.directory + " is held by process " + describe_this_process());
  }
  held.reset();
  CHECK(open_store(bench.options));
}

TEST_CASE("an index that another has is no damaged index") {
  testing::TemporaryDirectory directory;
  RocksIndexOptions options{(directory.path / "index").string(), 8 << 20, {}};
  auto opened = open_rocks_index(options);
  REQUIRE(opened);
  for (int tries = 0; tries < 2; ++tries) {  // the first does not end what holds it
    auto again = open_rocks_index(options);
    REQUIRE_FALSE(again);
    CHECK(again.error().code == ErrorCode::Conflict);
    CHECK(again.error().text.starts_with(options.directory + "/LOCK is held by process "));
  }
}

TEST_CASE("a store that was taken away by whoever held it is not made anew") {
  Bench bench;
  bench.options.lock_patience = 60s;
  auto held = bench.hold();
  std::thread other([&] {
    std::this_thread::sleep_for(300ms);
    for (auto name : {"journal", "index", "STORE", "CLEAN"})
      std::filesystem::remove_all(bench.directory.path / name);
    held.reset();
  });
  auto opened = open_store(bench.options);
  other.join();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::NotFound);
}
