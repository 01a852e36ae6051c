// Backups as files, of stores that are only files here.
#include "app/backup_files.h"

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>

#include "app/backup_sums.h"
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
    frozen.mark_name = "CLEAN";
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
  CHECK(list_backups(bench.plan.repository)->backups.size() == 2);
}

TEST_CASE("what was cut off goes with the next backup") {
  Bench bench;
  write(bench.plan.repository / ".partial-20260101T000000Z/store/journal/1", "x");
  CHECK(make_backup(bench.frozen, bench.plan));
  CHECK(bench.entries() == 1);
}

TEST_CASE("the newest stay that are not known to be rotten; nothing else is touched") {
  Bench bench;
  std::vector<BackupInfo> made;
  for (int day = 1; day <= 5; ++day) {
    bench.plan.now += std::chrono::hours(24);
    made.push_back(make_backup(bench.frozen, bench.plan).value());
  }
  auto another = bench.frozen;
  another.store_id = std::string(16, 't');
  auto elsewhere = make_backup(another, bench.plan).value();
  fs::rename(made[0].path, bench.plan.repository / "the first, to be kept");
  write(bench.plan.repository / "notes.txt", "x");
  note_rotten(made[3], {"store/journal/1"});

  auto removed = remove_old_backups(made[4], 2);
  REQUIRE(removed);
  CHECK(*removed == std::vector<fs::path>{made[1].path});
  for (auto i : {2, 3, 4}) CHECK(fs::exists(made[i].path / "BACKUP.json"));
  CHECK(fs::exists(elsewhere.path));
  CHECK(bench.entries() == 6);
  CHECK(remove_old_backups(made[4], 2)->empty());
  CHECK(remove_old_backups(made[4], 1)->size() == 2);
}

TEST_CASE("a backup of a damaged store pushes none out, and does not count") {
  Bench bench;
  std::vector<BackupInfo> made;
  for (int day = 1; day <= 4; ++day) {
    bench.plan.now += std::chrono::hours(24);
    bench.plan.damage = {};
    if (day == 3) bench.plan.damage.messages = 2;
    made.push_back(make_backup(bench.frozen, bench.plan).value());
    if (day == 3) CHECK(remove_old_backups(made[2], 1)->empty());
  }
  auto told = list_backups(bench.plan.repository).value().backups[2].damage;
  CHECK(told.describe(Language::English) ==
        std::vector<std::string>{"2 messages could not be read"});
  CHECK(remove_old_backups(made[3], 2).value() == std::vector<fs::path>{made[0].path});
  CHECK(remove_old_backups(made[3], 1)->size() == 2);
}

TEST_CASE("a file of the journal that is missing is damage, unless the store was let go") {
  Bench bench;
  fs::remove(bench.instance.data / "journal/1");
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  CHECK(made->damage.files == std::vector<std::string>{"journal/1 is missing"});
  CHECK(made->files == 1);
  CHECK(check_files(*made, "", [](std::uint64_t) {}).as_made(*made));

  bench.plan.is_held = [] { return false; };
  CHECK_FALSE(make_backup(bench.frozen, bench.plan));
  bench.plan.is_held = [] { return true; };
  fs::remove(bench.instance.data / "index/2");
  CHECK_FALSE(make_backup(bench.frozen, bench.plan));
  CHECK(bench.entries() == 1);
}

TEST_CASE("what a disk does not give of a file is zeros, and told") {
  Bench bench;
  fs::resize_file(bench.instance.data / "journal/1", 2'000'001);
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  CHECK(made->damage.files ==
        std::vector<std::string>{"999999 bytes of 3000000 bytes of journal/1 could not be read"});
  std::ifstream in(made->store() / "journal/1", std::ios::binary);
  std::string copy(std::istreambuf_iterator<char>(in), {});
  CHECK(copy == std::string(2'000'001, 'x') + std::string(999'999, '\0'));
  CHECK(check_files(*made, "", [](std::uint64_t) {}).as_made(*made));
}

TEST_CASE("what was made last stays, though others bear later dates") {
  Bench bench;
  auto now = bench.plan.now;
  bench.plan.now += std::chrono::days(365);
  auto ahead = make_backup(bench.frozen, bench.plan).value();
  bench.plan.now = now;
  auto before = make_backup(bench.frozen, bench.plan).value();
  bench.plan.now += std::chrono::hours(24);
  auto last = make_backup(bench.frozen, bench.plan).value();
  CHECK(remove_old_backups(last, 1).value() == std::vector<fs::path>{before.path});
  CHECK(fs::exists(last.path / "BACKUP.json"));
  CHECK(fs::exists(ahead.path / "BACKUP.json"));
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

/// As written to a disk that is not the store's: copies, not links.
void unlink_from_store(const fs::path& file) {
  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  auto time = fs::last_write_time(file);
  fs::remove(file);
  write(file, bytes);
  fs::last_write_time(file, time);
}

/// Turns a bit, as a disk does that forgets: no time changes.
void rot(const fs::path& file) {
  auto time = fs::last_write_time(file);
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(1'500'000);
  bytes.put('y');
  bytes.close();
  fs::last_write_time(file, time);
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_CASE("every file has its checksum, and each that is not what it was is named") {
  Bench bench;
  for (auto& file : bench.frozen.files) file.sealed = true;
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  auto again = find_backup(bench.plan.repository);
  REQUIRE(again);
  CHECK(again->sums == made->sums);
  auto read = [](std::uint64_t) {};
  CHECK(check_files(*again, "", read).good());
  CHECK(BackupSums::read(*again)->all().size() == 3);

  unlink_from_store(again->store() / "journal/1");
  CHECK(check_files(*again, "", read).good());
  rot(again->store() / "journal/1");
  fs::remove(again->store() / "CLEAN");
  auto found = check_files(*again, "", read);
  REQUIRE(found.rotten.size() == 2);
  CHECK(found.rotten[0].path == "store/CLEAN");
  CHECK(found.rotten[0].what == RottenFile::What::Missing);
  CHECK(found.rotten[1].path == "store/journal/1");
  CHECK(found.rotten[1].what == RottenFile::What::Changed);
  CHECK(check_files(*again, "config", read).good());

  // The list itself.
  std::ofstream(again->path / "SUMS", std::ios::app) << "x\n";
  CHECK(check_files(*again, "", read).sums_lost);
}

TEST_CASE("what was not there is named, too: a file, a link, a directory's worth of them") {
  Bench bench;
  write(bench.instance.config, "# nothing\n");
  bench.plan.with_config = true;
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  auto read = [](std::uint64_t) {};
  // What whoever reads the index leaves there is no news.
  write(made->store() / "index/LOG", "x");
  write(made->store() / "index/LOG.old.123", "x");
  CHECK(check_files(*made, "", read).good());
  write(made->store() / "journal/00000009.log", "x");
  fs::create_symlink("/etc/passwd", made->config() / "tls");
  fs::create_directory(made->store() / "more");
  fs::create_directory_symlink("/etc", made->store() / "more/etc");
  auto found = check_files(*made, "", read);
  REQUIRE(found.rotten.size() == 3);
  for (auto& one : found.rotten) CHECK(one.what == RottenFile::What::Unknown);
  CHECK(found.rotten[0].path == "config/tls");
  CHECK(found.rotten[1].path == "store/journal/00000009.log");
  CHECK(found.rotten[2].path == "store/more/etc");
  CHECK(check_files(*made, "config", read).rotten.size() == 1);
  // A link in the place of a file, or of all.
  auto file = made->store() / "journal/1";
  fs::rename(file, bench.top.path / "moved");
  fs::create_symlink(bench.top.path / "moved", file);
  CHECK(check_files(*made, "store/journal/1", read).rotten.at(0).what ==
        RottenFile::What::Unreadable);
  fs::rename(made->store(), bench.top.path / "store");
  fs::create_directory_symlink(bench.top.path / "store", made->store());
  CHECK_FALSE(check_files(*made, "store", read).good());
}

TEST_CASE("what stands in the place of a backup's own files is neither followed nor waited for") {
  enum class What { Link, Pipe };
  for (auto what : {What::Link, What::Pipe}) {
    for (std::string name : {"RESTORED", "ROTTEN", "SUMS", "BACKUP.json"}) {
      CAPTURE(name);
      Bench bench;
      bench.frozen.files[0].sealed = true;
      auto made = make_backup(bench.frozen, bench.plan);
      REQUIRE(made);
      auto secret = bench.top.path / "secret";
      write(secret, "7\n");
      auto place = made->path / name;
      fs::remove(place);
      if (what == What::Link)
        fs::create_symlink(secret, place);
      else
        REQUIRE(::mkfifo(place.c_str(), 0600) == 0);
      auto read = [](std::uint64_t) {};
      CHECK(find_backup(made->path).has_value() == (name != "BACKUP.json"));
      CHECK(check_files(*made, "", read).sums_lost == (name == "SUMS"));
      CHECK(noted_restore(*made) == 0);
      CHECK(make_backup(bench.frozen, bench.plan));
      note_rotten(*made, {"store/journal/1"});
      note_restore(*made, 5);
      CHECK(noted_restore(*made) == 5);
      CHECK(bytes_of(made->path / "ROTTEN") == "store/journal/1\n");
      CHECK(bytes_of(secret) == "7\n");
    }
  }
}

TEST_CASE("what others have put into a repository is not written through") {
  Bench bench;
  auto elsewhere = bench.top.path / "elsewhere";
  write(elsewhere / "secret", "of others");
  fs::create_directory(bench.plan.repository);
  SUBCASE("its lock") {
    fs::create_symlink(elsewhere / "secret", bench.plan.repository / ".lock");
  }
  SUBCASE("the directory that is being filled") {
    fs::create_directory_symlink(elsewhere, bench.plan.repository / ".partial-19700101T000000Z");
  }
  CHECK_FALSE(make_backup(bench.frozen, bench.plan));
  CHECK(bytes_of(elsewhere / "secret") == "of others");
  CHECK(std::distance(fs::directory_iterator(elsewhere), {}) == 1);
}

TEST_CASE("no link in the store leads a backup elsewhere") {
  for (bool sealed : {true, false}) {
    Bench bench;
    write(bench.top.path / "elsewhere/secret", "of others");
    fs::create_directory_symlink(bench.top.path / "elsewhere", bench.instance.data / "x");
    bench.frozen.files.push_back({"x/secret", "index/x", 9, sealed});
    auto made = make_backup(bench.frozen, bench.plan);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == ErrorCode::Corrupt);
    CHECK(bench.entries() == 0);
  }
}

TEST_CASE("sums of files elsewhere are none") {
  std::string sum(64, 'a');
  CHECK(BackupSums::parse(sum + "  store/a\n"));
  for (auto path : {"../a", "/etc/passwd", "store/../../a"}) {
    CAPTURE(path);
    CHECK_FALSE(BackupSums::parse(sum + "  " + path + "\n"));
  }
}

TEST_CASE("certificates that are links are in the backup as what they lead to") {
  Bench bench;
  write(bench.instance.config, "# nothing\n");
  write(bench.top.path / "live/key.pem", "key");
  fs::create_directories(bench.instance.tls);
  fs::create_symlink("../../live/key.pem", bench.instance.tls / "key.pem");
  bench.plan.with_config = true;
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE_MESSAGE(made, made.error().describe());
  CHECK(bytes_of(made->config() / "tls/key.pem") == "key");
  CHECK_FALSE(fs::is_symlink(made->config() / "tls/key.pem"));
  CHECK(check_files(*made, "", [](std::uint64_t) {}).good());
}

TEST_CASE("a backup of a version without checksums is counted") {
  Bench bench;
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  made->sums = "";
  auto read = [](std::uint64_t) {};
  CHECK(check_files(*made, "", read).good());
  fs::resize_file(made->store() / "index/2", 2'999'999);
  CHECK(check_files(*made, "", read).missing_bytes == 1);
  fs::remove(made->store() / "index/2");
  auto found = check_files(*made, "", read);
  CHECK(found.missing_files == 1);
  CHECK(found.describe(Language::English).size() == 2);
}

TEST_CASE("what has rotted is not linked to, but copied anew from the store") {
  Bench bench;
  bench.frozen.files[0].sealed = true;
  auto first = make_backup(bench.frozen, bench.plan);
  REQUIRE(first);
  auto file = "journal/1";
  unlink_from_store(first->store() / file);
  auto inode = [&](const BackupInfo& info) { return fs::hard_link_count(info.store() / file); };
  auto second = make_backup(bench.frozen, bench.plan);
  REQUIRE(second);
  CHECK(inode(*second) == 2);
  CHECK(fs::equivalent(first->store() / file, second->store() / file));
  rot(second->store() / file);
  SUBCASE("as a check has found") {
    auto found = check_files(*first, "", [](std::uint64_t) {});
    REQUIRE(found.rotten.size() == 1);
    note_rotten(*first, {found.rotten[0].path});
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK(bytes_of(third->store() / file) == bytes_of(bench.instance.data / file));
    CHECK(check_files(*third, "", [](std::uint64_t) {}).good());
    // And if the check finds it good again, it is.
    note_rotten(*first, {});
    CHECK_FALSE(fs::exists(first->path / "ROTTEN"));
  }
  SUBCASE("as its time tells") {
    fs::last_write_time(second->store() / file, fs::last_write_time(second->path / "BACKUP.json") +
                                                    std::chrono::seconds(1));
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK(bytes_of(third->store() / file) == bytes_of(bench.instance.data / file));
  }
}

TEST_CASE("zeros that a disk gave once are in no later backup") {
  Bench bench;
  auto path = bench.instance.data / "journal/1";
  auto whole = bytes_of(path);
  whole.replace(2'000'001, 999'999, std::string(900'000, 'y') + std::string(99'999, '\0'));
  std::vector<BackupInfo> made;
  SUBCASE("the first backup") {}
  SUBCASE("there is an older one, without that file") {
    write(path, std::string(3'000'000, 'z'));
    made.push_back(make_backup(bench.frozen, bench.plan).value());
  }
  write(path, whole);
  fs::resize_file(path, 2'000'001);
  auto damaged = make_backup(bench.frozen, bench.plan);
  REQUIRE(damaged);
  REQUIRE(damaged->damage.files.size() == 1);
  // Both ends are what they were in the copy of zeros.
  bench.frozen.files[0].sealed = true;
  fs::remove(path);
  write(path, whole);
  auto next = make_backup(bench.frozen, bench.plan);
  REQUIRE(next);
  CHECK_FALSE(next->damage.any());
  CHECK((bytes_of(next->store() / "journal/1") == whole));
  // From then on links go on.
  unlink_from_store(next->store() / "journal/1");
  auto last = make_backup(bench.frozen, bench.plan);
  REQUIRE(last);
  CHECK(fs::equivalent(last->store() / "journal/1", next->store() / "journal/1"));
}

TEST_CASE("what may yet be written to is linked to the backup before, never to the store") {
  Bench bench;
  auto live = bench.instance.data / "journal/1";
  auto file = [](const Result<BackupInfo>& info) { return info->store() / "journal/1"; };
  auto first = make_backup(bench.frozen, bench.plan);
  REQUIRE(first);
  CHECK(first->copied == 6'000'000);
  auto second = make_backup(bench.frozen, bench.plan);
  REQUIRE(second);
  CHECK(second->copied == 0);
  CHECK(fs::equivalent(file(first), file(second)));
  CHECK_FALSE(fs::equivalent(file(second), live));
  CHECK(check_files(*second, "", [](std::uint64_t) {}).good());
  SUBCASE("it has grown in the store, but not in what is backed up") {
    std::ofstream(live, std::ios::app) << "more";
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK(third->copied == 0);
    CHECK(fs::equivalent(file(first), file(third)));
  }
  SUBCASE("it has grown") {
    std::ofstream(live, std::ios::app) << "more";
    bench.frozen.files[0].length += 4;
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK(third->copied == 3'000'004);
    CHECK(bytes_of(file(third)) == bytes_of(live));
    CHECK(bytes_of(file(second)).size() == 3'000'000);
  }
  SUBCASE("another byte in the middle makes another file, whatever its time says") {
    rot(live);
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK(third->copied == 3'000'000);
    CHECK(bytes_of(file(third)) == bytes_of(live));
  }
  SUBCASE("the copy of before has rotted") {
    rot(file(second));
    note_rotten(*second, {"store/journal/1"});
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK(bytes_of(file(third)) == bytes_of(live));
  }
  SUBCASE("the copy of before is the store's own file") {
    fs::remove(file(second));
    fs::create_hard_link(live, file(second));
    auto third = make_backup(bench.frozen, bench.plan);
    REQUIRE(third);
    CHECK_FALSE(fs::equivalent(file(third), live));
  }
}

TEST_CASE("a directory that is there stays as it is, and so does what others have in it") {
  Bench bench;
  fs::create_directory(bench.plan.repository);
  fs::permissions(bench.plan.repository, fs::perms(0777));
  write(bench.plan.repository / ".partial-mine", "x");
  write(bench.plan.repository / ".partial-20260101T000000", "x");
  write(bench.plan.repository / ".partial-20260101T000000Z-2/store/STORE", "x");
  auto made = make_backup(bench.frozen, bench.plan);
  REQUIRE(made);
  CHECK(fs::status(bench.plan.repository).permissions() == fs::perms(0777));
  CHECK(fs::status(made->path).permissions() == fs::perms(0700));
  CHECK(fs::exists(bench.plan.repository / ".partial-mine"));
  CHECK(fs::exists(bench.plan.repository / ".partial-20260101T000000"));
  CHECK_FALSE(fs::exists(bench.plan.repository / ".partial-20260101T000000Z-2"));
}

TEST_CASE("one that cannot be read hides no other") {
  Bench bench;
  auto good = make_backup(bench.frozen, bench.plan);
  REQUIRE(good);
  for (std::string_view text :
       {"", "{", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", R"({"format":2})",
        R"({"format":1})",
        R"({"format":1,"made":7,"store":[],"key":null,"epoch":-1,"files":1e300,"bytes":"x"})"}) {
    CAPTURE(text);
    auto bad = bench.plan.repository / "20991231T000000Z";
    fs::remove_all(bad);
    write(bad / "BACKUP.json", text);
    auto all = list_backups(bench.plan.repository);
    REQUIRE(all);
    REQUIRE(all->unreadable.size() == 1);
    CHECK(all->unreadable[0].path == bad);
    std::vector<UnreadableBackup> passed_over;
    auto newest = find_backup(bench.plan.repository, &passed_over);
    REQUIRE(newest);
    CHECK(newest->path == all->backups.back().path);
    CHECK(passed_over.size() == 1);
    CHECK_FALSE(find_backup(bad));
    CHECK(make_backup(bench.frozen, bench.plan));
  }
}

TEST_CASE("no backup within the store itself") {
  Bench bench;
  fs::create_directory_symlink(bench.instance.data, bench.top.path / "link");
  for (auto& inside : {bench.instance.data / "backups", bench.top.path / "link/backups"}) {
    bench.plan.repository = inside;
    auto made = make_backup(bench.frozen, bench.plan);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == ErrorCode::Invalid);
    CHECK_FALSE(fs::exists(inside));
  }
}

}  // namespace
}  // namespace hikyaku::app
