// Whole instances out of backups.
#include "app/restore_instance.h"

#include <doctest/doctest.h>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/verbs.h"
#include "config/load.h"
#include "net/worker_pool.h"
#include "store/epoch.h"
#include "store/posix_file_system.h"
#include "store/restore.h"
#include "store/segment.h"
#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

std::string last_words;

Exit run(std::vector<std::string> words) {
  last_words.clear();
  auto keep = [](std::string_view text) {
    last_words += text;
    return true;
  };
  Terminal terminal(keep, keep, {.width = 2000, .language = Language::English});
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
    return store::PosixFileSystem()
        .lock((instance.data / "LOCK").string(), store::LockScope::Directory)
        .has_value();
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
    RestoreRules rules;
    rules.copied = [&](std::uint64_t) {
      ++looked;
      CHECK_FALSE(bench.can_be_opened());
    };
    auto restored = restore_instance(*bench.backup, bench.instance, bench.config, **held, rules);
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
    auto server = store::PosixFileSystem().lock((bench.instance.data / "LOCK").string(),
                                                store::LockScope::Directory);
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
  for (auto& path : {other.tls, other.dkim}) CHECK((facts_of(path).st_mode & 0777) == 0700);
  // What is there stays.
  fs::remove(other.tls / "cert.pem");
  CHECK(restore_config(*bench.backup, other));
  CHECK_FALSE(fs::exists(other.tls / "cert.pem"));
}

TEST_CASE("where the store is missing nothing makes another one, and what to do is told") {
  Bench bench;
  auto dir = bench.dir.string();
  auto data = bench.instance.data;
  auto beside = [&](const char* what) { return fs::path(data.string() + what); };
  auto refused = [&](std::string_view told) {
    CAPTURE(told);
    for (std::vector<std::string> words : {std::vector<std::string>{"serve"},
                                           {"account", "list"},
                                           {"verify"},
                                           {"backup", (bench.top.path / "backups").string()}}) {
      words.insert(words.end(), {"--dir", dir});
      CAPTURE(words[0]);
      CHECK(run(words) == Exit::NoInput);
      CHECK_MESSAGE(last_words.contains(told), last_words);
      CHECK_FALSE(fs::exists(data / "STORE"));
    }
  };
  fs::rename(data, beside(".away"));
  refused("mounted");
  fs::create_directories(data / "journal");
  refused("hikyaku serve --new-store --dir " + dir);
  std::ofstream(data / "journal/notes") << "x";
  refused("mounted");
  fs::remove_all(data);
  fs::create_symlink("/nowhere/at/all", data);
  refused("/nowhere/at/all");
  fs::remove(data);
  // Cut off while copying, and at its last step.
  fs::create_directory(beside(".restoring"));
  refused("hikyaku restore BACKUP --dir " + dir);
  fs::rename(beside(".away"), beside(".before-restore"));
  refused("mv -T " + beside(".before-restore").string() + " " + data.string());
  fs::rename(beside(".restoring"), beside(".restored"));
  refused("mv -T " + beside(".restored").string() + " " + data.string());
  fs::rename(beside(".before-restore"), data);
  CHECK(run({"account", "list", "--dir", dir}) == Exit::Ok);
  CHECK(run({"serve", "--new-store", "--dir", dir}) == Exit::CannotCreate);
  // Nothing is left of it but its name.
  for (auto name : {"journal", "index"}) fs::remove_all(data / name);
  fs::remove_all(beside(".restored"));
  CHECK(run({"account", "list", "--dir", dir}) == Exit::NoInput);
  CHECK_MESSAGE(last_words.contains("mounted"), last_words);
}

std::uint32_t epoch_of(const fs::path& data) {
  auto seen = store::epoch_of(data.string());
  CHECK(seen.certain);
  return seen.epoch;
}

std::uint32_t turn(std::uint32_t epoch) {
  return store::Epoch::of(epoch).turn;
}

/// Restores, and is cut off between the two renames, as by a power loss.
void restore_half(const BackupInfo& backup, const Instance& instance,
                  const config::Config& config) {
  struct CutOff {};
  auto held = HeldData::take(instance, config);
  REQUIRE(held);
  RestoreRules rules;
  rules.between = [] { throw CutOff(); };
  CHECK_THROWS_AS((void)restore_instance(backup, instance, config, **held, rules), CutOff);
}

TEST_CASE("cut off at its last step: it can be finished, and what is told is true") {
  Bench bench;
  auto data = bench.instance.data;
  auto restored = fs::path(data.string() + ".restored");
  restore_half(*bench.backup, bench.instance, bench.config);
  CHECK_FALSE(fs::exists(data));
  REQUIRE(run({"account", "list", "--dir", bench.dir.string()}) == Exit::NoInput);
  CHECK_MESSAGE(last_words.contains("mv -T " + restored.string() + " " + data.string()),
                last_words);
  SUBCASE("finished") {
    fs::rename(restored, data);
    CHECK(run({"verify", "--dir", bench.dir.string()}) == Exit::Ok);
  }
  SUBCASE("begun anew from a backup that turns out to be damaged: it can be finished still") {
    fs::remove_all(bench.backup->store() / "journal");
    fs::remove_all(bench.backup->store() / "index");
    auto words = {std::string("restore"), bench.backup->path.string(), std::string("--dir"),
                  bench.dir.string()};
    CHECK(run(words) != Exit::Ok);
    REQUIRE(fs::exists(restored / "STORE"));
    fs::rename(restored, data);
    CHECK(run({"verify", "--dir", bench.dir.string()}) == Exit::Ok);
  }
  SUBCASE("begun anew: it takes the place of what was not in use") {
    CHECK(run({"restore", bench.backup->path.string(), "--dir", bench.dir.string()}) == Exit::Ok);
    CHECK_FALSE(fs::exists(restored));
    CHECK(run({"verify", "--dir", bench.dir.string()}) == Exit::Ok);
  }
}

TEST_CASE("no epoch comes twice, whatever was cut off and whatever the backup can note") {
  Bench bench;
  auto data = bench.instance.data;
  auto beside = [&](const char* what) { return fs::path(data.string() + what); };
  auto restore = [&] {
    // As where a backup cannot be written to.
    fs::remove(bench.backup->path / "RESTORED");
    return run({"restore", bench.backup->path.string(), "--force", "--dir", bench.dir.string()});
  };
  for (int i = 0; i < 3; ++i) REQUIRE_MESSAGE(restore() == Exit::Ok, last_words);
  auto in_use = epoch_of(data);
  CHECK(turn(in_use) == turn(bench.backup->epoch) + 3);
  // What clients knew stands aside, and nothing is in its place.
  fs::remove(bench.backup->path / "RESTORED");
  restore_half(*bench.backup, bench.instance, bench.config);
  auto half = epoch_of(beside(".restored"));
  CHECK(turn(half) == turn(in_use) + 1);
  SUBCASE("begun anew") {
    REQUIRE_MESSAGE(restore() == Exit::Ok, last_words);
    CHECK(turn(epoch_of(data)) == turn(half) + 1);
  }
  SUBCASE("begun anew when the copy is gone") {
    fs::remove_all(beside(".restored"));
    REQUIRE_MESSAGE(restore() == Exit::Ok, last_words);
    // The copy that is gone had a number that nobody has seen; this one has another.
    CHECK(turn(epoch_of(data)) == turn(in_use) + 1);
    CHECK(epoch_of(data) != half);
  }
  SUBCASE("and what says an epoch that cannot be is named") {
    auto note = bench.backup->path / "RESTORED";
    for (auto said : {"4294967295\n", "60000\n", "200000000\n"}) {
      std::ofstream(note) << said;
      CHECK(run({"restore", bench.backup->path.string(), "--dir", bench.dir.string()}) != Exit::Ok);
      CHECK_MESSAGE(last_words.contains(note.string() + " says epoch"), last_words);
      CHECK_FALSE(fs::exists(data));
      CHECK(fs::exists(beside(".restored")));
    }
  }
}

TEST_CASE("two places that know nothing of each other go on behind different futures") {
  std::set<std::uint32_t> epochs;
  Bench bench;
  for (int i = 0; i < 4; ++i) {
    // Each is the first: nothing of the others is there to be seen.
    fs::remove_all(bench.instance.data);
    fs::remove(bench.backup->path / "RESTORED");
    REQUIRE_MESSAGE(
        run({"restore", bench.backup->path.string(), "--dir", bench.dir.string()}) == Exit::Ok,
        last_words);
    CHECK(turn(epoch_of(bench.instance.data)) == turn(bench.backup->epoch) + 1);
    epochs.insert(epoch_of(bench.instance.data));
  }
  // One in 10,000 runs gives one twice.
  CHECK(epochs.size() == 4);
}

/// A segment more in a store, of this epoch.
fs::path forge_segment(const fs::path& data, std::uint32_t epoch) {
  store::SegmentHeader header;
  header.store_id = std::string(16, 'x');
  header.number = 900;
  header.epoch = epoch;
  auto path = data / "journal" / store::segment_name(header.number, header.kind);
  std::ofstream(path, std::ios::binary) << store::encode_segment_header(header);
  return path;
}

TEST_CASE("a forged epoch of the store that is replaced does not become the restored one's") {
  for (std::uint32_t epoch : {60'000u, 200'000'000u, UINT32_MAX}) {
    Bench bench;
    auto data = bench.instance.data;
    auto forged = forge_segment(data, epoch);
    CHECK(run({"restore", bench.backup->path.string(), "--force", "--dir", bench.dir.string()}) !=
          Exit::Ok);
    CHECK_MESSAGE(last_words.contains(forged.string() + " says epoch"), last_words);
    CHECK(fs::exists(forged));
    fs::rename(data, bench.top.path / "away");
    CHECK(run({"restore", bench.backup->path.string(), "--dir", bench.dir.string()}) == Exit::Ok);
    CHECK(turn(epoch_of(data)) == turn(bench.backup->epoch) + 1);
  }
}

TEST_CASE("no epoch comes twice when the store that is replaced is damaged") {
  Bench bench;
  auto data = bench.instance.data;
  auto restore = [&] {
    fs::remove(bench.backup->path / "RESTORED");
    return run({"restore", bench.backup->path.string(), "--force", "--dir", bench.dir.string()});
  };
  for (int i = 0; i < 3; ++i) REQUIRE_MESSAGE(restore() == Exit::Ok, last_words);
  auto in_use = epoch_of(data);
  REQUIRE(turn(in_use) == turn(bench.backup->epoch) + 3);
  for (auto& entry : fs::directory_iterator(bench.dir))
    if (entry.path().filename().string().starts_with("data.")) fs::remove_all(entry);
  bool told = true;
  SUBCASE("its name is lost") {
    fs::remove(data / "STORE");
  }
  SUBCASE("its name is damaged") {
    std::ofstream(data / "STORE") << "x";
  }
  SUBCASE("its journal is lost") {
    fs::remove_all(data / "journal");
    told = false;
  }
  SUBCASE("a segment is damaged") {
    fs::path newest;
    for (auto& entry : fs::directory_iterator(data / "journal"))
      newest = std::max(newest, entry.path());
    fs::resize_file(newest, 0);
    told = false;
  }
  REQUIRE_MESSAGE(restore() == Exit::Ok, last_words);
  if (told)
    CHECK(turn(epoch_of(data)) == turn(in_use) + 1);
  else
    CHECK(turn(epoch_of(data)) > turn(in_use) + 50);
}

TEST_CASE("root writes nothing through what lies in a backup, and waits for nobody there") {
  for (std::string name : {"RESTORED", "ROTTEN"}) {
    CAPTURE(name);
    Bench bench;
    auto planted = bench.top.path / "secret";
    std::ofstream(planted) << "of others";
    fs::create_symlink(planted, bench.backup->path / name);
    std::ofstream(bench.backup->store() / "x") << "x";
    auto backup = bench.backup->path.string();
    CHECK(run({"backup", "--check", backup}) == Exit::Failed);
    CHECK(run({"restore", backup, "--force", "--dir", bench.dir.string()}) == Exit::Ok);
    CHECK(fs::file_size(planted) == 9);
    CHECK_FALSE(fs::is_symlink(bench.backup->path / name));
  }
  Bench bench;
  for (auto name : {"journal/0000000099.log", "index/CURRENT"}) {
    auto pipe = bench.backup->store() / name;
    fs::remove(pipe);
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  }
  auto backup = bench.backup->path.string();
  CHECK(run({"backup", "--check", backup}) == Exit::Failed);
  CHECK_MESSAGE(last_words.contains("store/index/CURRENT cannot be read"), last_words);
  CHECK(run({"restore", backup, "--force", "--dir", bench.dir.string()}) == Exit::Ok);
  CHECK_MESSAGE(last_words.contains("Nothing is lost"), last_words);
  // Nor for its configuration.
  auto other = Instance::in(bench.top.path / "other");
  auto config = bench.backup->config() / other.config.filename();
  fs::remove(config);
  REQUIRE(::mkfifo(config.c_str(), 0600) == 0);
  auto restored = restore_config(*bench.backup, other);
  REQUIRE_FALSE(restored);
  CHECK(restored.error().code == ErrorCode::Corrupt);
}

TEST_CASE("without its list of checksums a backup is restored only by who takes losses") {
  Bench bench;
  auto data = bench.instance.data;
  auto sums = bench.backup->path / "SUMS";
  SUBCASE("gone") {
    fs::remove(sums);
  }
  SUBCASE("altered") {
    std::ofstream(sums, std::ios::app) << std::string(64, '0') << "  store/x\n";
  }
  std::vector<std::string> words{"restore", bench.backup->path.string(), "--force", "--dir",
                                 bench.dir.string()};
  CHECK(run(words) == Exit::Failed);
  CHECK_MESSAGE(last_words.contains("--with-losses"), last_words);
  CHECK_FALSE(fs::exists(fs::path(data.string() + ".before-restore")));
  words.push_back("--with-losses");
  CHECK(run(words) == Exit::Failed);
  CHECK_MESSAGE(last_words.contains("checksums"), last_words);
  CHECK(fs::exists(fs::path(data.string() + ".before-restore")));
  CHECK(run({"verify", "--dir", bench.dir.string()}) == Exit::Ok);
}

TEST_CASE("links in a backup lead nowhere, and what is not the backup's is not restored") {
  Bench bench;
  auto dir = bench.dir.string();
  auto backup = bench.backup->path;
  auto planted = bench.top.path / "secret";
  std::ofstream(planted) << "of others";
  fs::create_symlink(planted, bench.backup->store() / "x");
  fs::create_symlink(planted, bench.backup->store() / "journal/00000099.log");
  CHECK(run({"backup", "--check", backup.string()}) == Exit::Failed);
  CHECK_MESSAGE(last_words.contains("store/x was not there"), last_words);
  CHECK(run({"restore", backup.string(), "--force", "--dir", dir}) == Exit::Ok);
  CHECK_MESSAGE(last_words.contains("store/journal/00000099.log was not there"), last_words);
  CHECK_FALSE(fs::exists(bench.instance.data / "x"));
  CHECK_FALSE(fs::exists(bench.instance.data / "journal/00000099.log"));
  for (auto& entry : fs::directory_iterator(bench.top.path)) {
    auto name = entry.path().filename();
    CHECK_MESSAGE((name == "mail" || name == "backups" || name == "secret"), name.string());
  }
  // Nor of the configuration.
  auto other = Instance::in(bench.top.path / "other");
  fs::remove(bench.backup->config() / "tls/key.pem");
  fs::create_symlink(planted, bench.backup->config() / "tls/key.pem");
  auto restored = restore_config(*bench.backup, other);
  REQUIRE_FALSE(restored);
  CHECK(restored.error().code == ErrorCode::Corrupt);
  CHECK_FALSE(fs::exists(other.tls));
}

/// The file of this kind in a backup's journal, and what is done to it.
fs::path segment_of(const BackupInfo& backup) {
  for (auto& entry : fs::directory_iterator(backup.store() / "journal")) return entry.path();
  return {};
}

TEST_CASE("damage of a backup is told, also when nothing is lost by it") {
  Bench bench;
  auto dir = bench.dir.string();
  auto backup = bench.backup->path.string();
  auto file = segment_of(*bench.backup);
  REQUIRE_FALSE(file.empty());
  // Groups that the index has.
  fs::resize_file(file, fs::file_size(file) - 200);
  auto name = "store/journal/" + file.filename().string();
  CHECK(run({"backup", "--check", backup}) == Exit::Failed);
  CHECK_MESSAGE(last_words.contains(name), last_words);
  CHECK(run({"restore", backup, "--force", "--dir", dir}) == Exit::Ok);
  CHECK_MESSAGE(last_words.contains(name), last_words);
  CHECK_MESSAGE(last_words.contains("Nothing is lost"), last_words);
  CHECK(run({"verify", "--dir", dir}) == Exit::Ok);
}

TEST_CASE("a backup that lacks its mark is no whole one, and loses nothing by that") {
  Bench bench;
  auto backup = bench.backup->path.string();
  fs::remove(bench.backup->store() / "CLEAN");
  CHECK(run({"backup", "--check", backup}) == Exit::Failed);
  CHECK_MESSAGE(last_words.contains("CLEAN"), last_words);
  CHECK(run({"restore", backup, "--force", "--dir", bench.dir.string()}) == Exit::Ok);
  CHECK_MESSAGE(last_words.contains("Nothing is lost"), last_words);
  CHECK(run({"verify", "--dir", bench.dir.string()}) == Exit::Ok);
}

TEST_CASE("a store behind a link stays on its disk") {
  Bench bench;
  auto disk = bench.top.path / "disk";
  fs::create_directory(disk);
  fs::rename(bench.instance.data, disk / "mail");
  fs::create_directory_symlink(disk / "mail", bench.instance.data);
  auto restore = [&] {
    return run({"restore", bench.backup->path.string(), "--force", "--dir", bench.dir.string()});
  };
  REQUIRE_MESSAGE(restore() == Exit::Ok, last_words);
  CHECK(fs::is_symlink(bench.instance.data));
  CHECK(fs::exists(disk / "mail/STORE"));
  CHECK(fs::exists(disk / "mail.before-restore/STORE"));
  fs::rename(disk, bench.top.path / "elsewhere");
  CHECK(restore() == Exit::CannotCreate);
  CHECK_MESSAGE(last_words.contains("mounted"), last_words);
}

TEST_CASE("a place that cannot be replaced is known before anything is copied") {
  auto fixed = find_fixed_place("/proc");
  REQUIRE(fixed);
  CHECK(fixed->why == FixedPlace::Why::MountPoint);
  testing::TemporaryDirectory top;
  CHECK_FALSE(find_fixed_place(top.path));
  CHECK_FALSE(find_fixed_place(top.path / "nothing"));
}

TEST_CASE("a restore does not begin with removing its own source") {
  Bench bench;
  auto source = fs::path(bench.instance.data.string() + ".restoring");
  fs::rename(bench.backup->path, source);
  CHECK(run({"restore", source.string(), "--force", "--dir", bench.dir.string()}) != Exit::Ok);
  CHECK_MESSAGE(last_words.contains("move it away"), last_words);
  CHECK(fs::exists(source / "BACKUP.json"));
}

TEST_CASE("what makes no sense is refused in words") {
  Bench bench;
  auto dir = bench.dir.string();
  CHECK(run({"backup", "", "--dir", dir}) == Exit::Usage);
  CHECK(run({"restore", "", "--dir", dir}) == Exit::Usage);
  CHECK(run({"backup", (bench.instance.data / "b").string(), "--dir", dir}) == Exit::Usage);
  CHECK_FALSE(fs::exists(bench.instance.data / "b"));
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
