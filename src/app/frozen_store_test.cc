// A store held still when no server runs. (By a server: tests/test_backup.py.)
#include "app/frozen_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/system_user.h"
#include "app/verbs.h"
#include "config/load.h"
#include "store/open.h"
#include "store/posix_file_system.h"
#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

struct Bench {
  testing::TemporaryDirectory top;
  Instance instance = Instance::in(top.path / "mail");
  config::Config config;

  Bench() {
    auto drop = [](std::string_view) { return true; };
    Terminal terminal(drop, drop, {.width = 80, .language = Language::English});
    auto verbs = all_verbs();
    std::vector<std::string> words{"quickstart", "anna@alpha.test", "--local", "--dir",
                                   (top.path / "mail").string()};
    REQUIRE(run_command_line(words, verbs, terminal) == Exit::Ok);
    config = config::load_file(instance.config).value();
  }

  bool can_be_opened() const {
    return store::PosixFileSystem()
        .lock(store::lock_path(instance.data.string()), store::LockScope::Directory)
        .has_value();
  }

  void check_held() {
    {
      auto held = FrozenStore::open(instance, config);
      REQUIRE_MESSAGE(held, held.error().describe());
      CHECK_FALSE(can_be_opened());
      auto& frozen = (*held)->frozen();
      CHECK(frozen.files.size() > 3);
      CHECK(frozen.store_id.size() == 16);
      CHECK(frozen.mark_name == "CLEAN");
      for (auto& file : frozen.files) {
        CAPTURE(file.from);
        CHECK(fs::file_size(instance.data / file.from) >= file.length);
      }
    }
    CHECK(can_be_opened());
    CHECK(fs::exists(instance.data / "CLEAN"));  // and it was closed well
    for (auto& entry : fs::directory_iterator(instance.data))
      CHECK_FALSE(entry.path().filename().string().starts_with("frozen-"));
  }
};

TEST_CASE("by this process: what it holds is there, and all is let go at the end") {
  Bench().check_held();
}

TEST_CASE("a store that is not there, or that somebody has, is not held") {
  Bench bench;
  {
    auto other =
        store::PosixFileSystem()
            .lock(store::lock_path(bench.instance.data.string()), store::LockScope::Directory)
            .value();
    auto refused = FrozenStore::open(bench.instance, bench.config);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Conflict);
  }
  fs::remove_all(bench.instance.data);
  auto refused = FrozenStore::open(bench.instance, bench.config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::NotFound);
  CHECK_FALSE(fs::exists(bench.instance.data / "STORE"));
}

TEST_CASE("as root: by a process that is the server's user, to whom all it writes belongs") {
  auto nobody = find_user("nobody");
  if (::geteuid() != 0 || !nobody) {
    MESSAGE("skipped: not root");
    return;
  }
  Bench bench;
  ::chmod(bench.top.path.c_str(), 0755);
  ::chmod(bench.instance.data.parent_path().c_str(), 0755);
  for (auto& entry : fs::recursive_directory_iterator(bench.top.path))
    REQUIRE(::chown(entry.path().c_str(), nobody->uid, nobody->gid) == 0);
  bench.config.server.user = "nobody";
  bench.check_held();
  CHECK(::geteuid() == 0);
  for (auto& entry : fs::recursive_directory_iterator(bench.instance.data)) {
    struct stat facts{};
    REQUIRE(::stat(entry.path().c_str(), &facts) == 0);
    CHECK_MESSAGE(facts.st_uid == nobody->uid, entry.path().string());
  }
}

}  // namespace
}  // namespace hikyaku::app
