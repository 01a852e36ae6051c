// Whole instances out of backups.
#include "app/restore_instance.h"

#include <doctest/doctest.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/verbs.h"
#include "config/load.h"
#include "store/posix_file_system.h"
#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

Exit run(std::vector<std::string> words) {
  auto nothing = [](std::string_view) { return true; };
  Terminal terminal(nothing, nothing, {.width = 80, .language = Language::English});
  auto verbs = all_verbs();
  return run_command_line(words, verbs, terminal);
}

struct stat facts_of(const fs::path& path) {
  struct stat facts{};
  REQUIRE_MESSAGE(::lstat(path.c_str(), &facts) == 0, path.string());
  return facts;
}

/// An instance with one account, and a backup of it.
struct Bench {
  testing::TemporaryDirectory top;
  fs::path dir = top.path / "mail";
  Instance instance = Instance::in(dir);
  config::Config config;
  std::optional<BackupInfo> backup;

  Bench() {
    REQUIRE(run({"quickstart", "anna@alpha.test", "--local", "--dir", dir.string()}) == Exit::Ok);
    config = config::load_file(instance.config).value();
    auto backups = (top.path / "backups").string();
    REQUIRE(run({"backup", backups, "--with-config", "--dir", dir.string()}) == Exit::Ok);
    backup = find_backup(backups).value();
  }

  bool can_be_opened() const {
    return store::PosixFileSystem().lock((instance.data / "LOCK").string()).has_value();
  }
};

TEST_CASE("nobody opens a store where one is being restored, until it is there") {
  for (bool occupied : {true, false}) {
    CAPTURE(occupied);
    Bench bench;
    if (!occupied) fs::remove_all(bench.instance.data);
    std::optional<std::unique_ptr<HeldData>> held;
    {
      auto taken = HeldData::take(bench.instance, bench.config);
      REQUIRE(taken);
      CHECK((*taken)->has_store() == occupied);
      held = std::move(*taken);
    }
    int looked = 0;
    auto restored =
        restore_instance(*bench.backup, bench.instance, bench.config, **held, [&](std::uint64_t) {
          ++looked;
          CHECK_FALSE(bench.can_be_opened());
        });
    REQUIRE_MESSAGE(restored, restored.error().describe());
    CHECK(looked > 0);
    held.reset();
    CHECK(bench.can_be_opened());
    CHECK(fs::exists(bench.instance.data / "STORE"));
    CHECK(fs::exists(bench.dir / "data.before-restore") == occupied);
    CHECK(restored->former.empty() == !occupied);
  }
}

TEST_CASE("a store that is open is not replaced, and a place that was made for nothing goes") {
  Bench bench;
  {
    auto server = store::PosixFileSystem().lock((bench.instance.data / "LOCK").string());
    REQUIRE(server);
    auto held = HeldData::take(bench.instance, bench.config);
    REQUIRE_FALSE(held);
    CHECK(held.error().code == ErrorCode::Conflict);
  }
  fs::remove_all(bench.instance.data);
  CHECK(HeldData::take(bench.instance, bench.config));
  CHECK_FALSE(fs::exists(bench.instance.data));
}

TEST_CASE("the configuration comes back whole, and as it could be read before") {
  Bench bench;
  auto key = bench.instance.tls / "key.pem";
  auto other = Instance::in(bench.top.path / "other");
  // What an attempt that was cut off has left is no reason to go without the rest.
  fs::create_directories(bench.top.path / "other/tls.restoring");
  auto restored = restore_config(*bench.backup, other);
  REQUIRE_MESSAGE(restored, restored.error().describe());
  CHECK(fs::file_size(other.tls / "key.pem") == fs::file_size(key));
  CHECK_FALSE(fs::exists(bench.top.path / "other/tls.restoring"));
  CHECK((facts_of(other.tls / "key.pem").st_mode & 0777) == 0600);
  CHECK((facts_of(other.config).st_mode & 0777) == 0644);
  for (auto& path : {other.tls, other.dkim}) CHECK((facts_of(path).st_mode & 0777) == 0755);
  // What is there stays.
  fs::remove(other.tls / "cert.pem");
  CHECK(restore_config(*bench.backup, other));
  CHECK_FALSE(fs::exists(other.tls / "cert.pem"));
}

TEST_CASE("as root: the server's user may read the keys that come back") {
  if (::geteuid() != 0 || !find_user("nobody")) {
    MESSAGE("skipped: not root");
    return;
  }
  Bench bench;
  auto nobody = *find_user("nobody");
  auto config = bench.backup->config() / bench.instance.config.filename();
  std::ofstream(config) << "[server]\nhost_name = \"mail.alpha.test\"\nuser = \"nobody\"\n";
  auto other = Instance::in(bench.top.path / "other");
  auto restored = restore_config(*bench.backup, other);
  REQUIRE_MESSAGE(restored, restored.error().describe());
  std::vector<fs::path> keys{other.tls / "key.pem"};
  for (auto& entry : fs::directory_iterator(other.dkim)) keys.push_back(entry.path());
  CHECK(keys.size() > 1);
  for (auto& path : keys) {
    CAPTURE(path.string());
    auto facts = facts_of(path);
    CHECK(facts.st_uid == 0);
    CHECK(facts.st_gid == nobody.gid);
    CHECK((facts.st_mode & 0777) == 0640);
  }
}

}  // namespace
}  // namespace hikyaku::app
