// Copying, also from where somebody else may write.
#include "app/copy_files.h"

#include <csignal>
#include <doctest/doctest.h>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

/// All files below a directory, with what is in them.
std::map<std::string, std::string> files_in(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (auto& entry : fs::recursive_directory_iterator(directory)) {
    CHECK_FALSE(entry.is_symlink());
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().lexically_relative(directory).string()] =
        std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

struct Bench {
  testing::TemporaryDirectory top;
  fs::path from = top.path / "from";
  fs::path to = top.path / "place/to";
  fs::path elsewhere = top.path / "elsewhere";

  Bench() {
    write(from / "a", "1");
    write(from / "below/b", std::string(3'000'000, 'b'));
    write(elsewhere / "secret", "of others");
    fs::create_directories(to.parent_path());
  }
};

TEST_CASE("a tree is copied with what its files may be, and told") {
  Bench bench;
  fs::permissions(bench.from / "a", fs::perms(0640));
  std::set<std::string> told;
  std::uint64_t bytes = 0;
  CopyRules rules;
  rules.summed = [&](auto& name, auto& sum) { told.insert(name + " " + sum.substr(0, 8)); };
  rules.copied = [&](std::uint64_t more) { bytes += more; };
  rules.wanted = [](auto& name) { return name != "unwanted"; };
  write(bench.from / "unwanted", "x");
  auto copied = copy_tree(bench.from, bench.to, rules);
  REQUIRE_MESSAGE(copied, copied.error().describe());
  CHECK(files_in(bench.to) ==
        std::map<std::string, std::string>{{"a", "1"}, {"below/b", std::string(3'000'000, 'b')}});
  CHECK(bytes == 3'000'001);
  CHECK(told.contains("a 6b86b273"));
  CHECK(told.size() == 2);
  CHECK((fs::status(bench.to / "a").permissions() & fs::perms::mask) == fs::perms(0640));
  CHECK((fs::status(bench.to / "below").permissions() & fs::perms::mask) == fs::perms(0700));
  CHECK(copy_tree(bench.from, bench.to, {}).error().code == ErrorCode::Exists);
}

TEST_CASE(
    "a link is not followed out of a tree, wherever it stands, nor is anything written there") {
  struct Case {
    const char* link;
    const char* target;
  };
  for (auto& c : {Case{"x", "../elsewhere/secret"}, Case{"below/x", "../../elsewhere/secret"},
                  Case{"x", "../elsewhere"}, Case{"x", "nowhere"}, Case{"x", "x"}}) {
    CAPTURE(c.link);
    CAPTURE(c.target);
    Bench bench;
    fs::create_symlink(c.target, bench.from / c.link);
    auto refused = copy_tree(bench.from, bench.to, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Corrupt);
    CHECK(refused.error().text.contains("is a link"));
    fs::remove_all(bench.to);
    std::set<std::string> left;
    CopyRules rules;
    rules.leave_out = [&](auto& name, auto&) { return left.insert(name).second; };
    REQUIRE(copy_tree(bench.from, bench.to, rules));
    CHECK(left == std::set<std::string>{c.link});
    CHECK(files_in(bench.to).size() == 2);
    CHECK(files_in(bench.top.path / "place").size() == 2);
  }
  Bench bench;
  fs::create_directory_symlink(bench.from, bench.top.path / "link");
  CHECK_FALSE(copy_tree(bench.top.path / "link", bench.to, {}));
  CHECK_FALSE(fs::exists(bench.to));
}

TEST_CASE("where links may be, what they lead to is copied under their names") {
  Bench bench;
  fs::create_symlink("../elsewhere/secret", bench.from / "key.pem");
  fs::create_directory_symlink("../elsewhere", bench.from / "live");
  CopyRules rules;
  rules.links = Links::Follow;
  auto copied = copy_tree(bench.from, bench.to, rules);
  REQUIRE_MESSAGE(copied, copied.error().describe());
  auto files = files_in(bench.to);
  CHECK(files.size() == 4);
  CHECK(files["key.pem"] == "of others");
  CHECK(files["live/secret"] == "of others");
  fs::remove_all(bench.to);
  fs::create_directory_symlink(".", bench.from / "below/circle");
  CHECK(copy_tree(bench.from, bench.to, rules).error().code == ErrorCode::Invalid);
}

TEST_CASE("what is no file is not waited for") {
  Bench bench;
  auto pipe = bench.from / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(copy_tree(bench.from, bench.to, {}).error().code == ErrorCode::Corrupt);
  auto nothing = [](std::uint64_t) {};
  fs::create_symlink("a", bench.from / "link");
  fs::create_directory_symlink("below", bench.from / "linked");
  auto copy = bench.top.path / "copy";
  for (std::string name :
       {"pipe", "below", "link", "linked/b", "a/b", "../from/a", "/etc/passwd"}) {
    CAPTURE(name);
    FileBelow file{bench.from, name};
    auto refused = [](const auto& result) {
      return !result && (result.error().code == ErrorCode::Corrupt);
    };
    CHECK(refused(read_below(file)));
    CHECK(refused(sum_of_file(file, std::nullopt, nothing)));
    CHECK(refused(copy_file(file, copy, 1, nothing)));
    CHECK(refused(link_file(file, copy)));
    CHECK_FALSE(fs::exists(fs::symlink_status(copy)));
  }
  CHECK(read_below({bench.from, "none"}).error().code == ErrorCode::NotFound);
  CHECK(read_below({bench.from, "below/b"}, 2'999'999).error().code == ErrorCode::TooLarge);
  CHECK(read_below({bench.from, "below/b"}, 3'000'000)->size() == 3'000'000);
  // The directory itself may be a link: a store's often is.
  CHECK(read_below({bench.from / "linked", "b"}, 3'000'000));
  CHECK(link_file({bench.from, "below/b"}, copy));
  CHECK(fs::equivalent(copy, bench.from / "below/b"));
  CHECK(link_file({bench.from, "below/b"}, copy).error().code == ErrorCode::Exists);
}

TEST_CASE("a small file takes the place of what has its name, and is not written through it") {
  Bench bench;
  auto note = bench.from / "NOTE";
  auto secret = bench.elsewhere / "secret";
  auto check = [&](std::string_view text) {
    auto written = write_synced(note, text);
    REQUIRE_MESSAGE(written, written.error().describe());
    CHECK(fs::symlink_status(note).type() == fs::file_type::regular);
    CHECK(read_below({bench.from, "NOTE"}) == text);
    CHECK(read_below({bench.elsewhere, "secret"}) == "of others");
    CHECK(files_in(bench.from).size() == 3);  // and nothing beside it
  };
  check("1");
  check("2");
  fs::remove(note);
  fs::create_symlink(secret, note);
  check("3");
  fs::remove(note);
  fs::create_hard_link(secret, note);
  check("4");
  fs::create_symlink(secret, bench.from / "NOTE.new");
  check("5");
  fs::remove(note);
  REQUIRE(::mkfifo(note.c_str(), 0600) == 0);
  check("6");
  fs::remove(note);
  fs::create_directory(note);
  CHECK_FALSE(write_synced(note, "7"));
  CHECK_FALSE(fs::exists(bench.from / "NOTE.new"));
}

TEST_CASE("a disk that takes no more is no fault of what is copied") {
  Bench bench;
  CopyRules rules;
  bool asked = false;
  rules.leave_out = [&](auto&, auto&) { return asked = true; };
  // No larger files, for a moment.
  struct rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small{.rlim_cur = 1'000'000, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  auto copied = copy_tree(bench.from, bench.to, rules);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, ignored);
  REQUIRE_FALSE(copied);
  CHECK(copied.error().text.contains((bench.to / "below/b").string()));
  CHECK_FALSE(asked);
}

TEST_CASE("names that others have written stay below") {
  for (auto name : {"a", "store/journal/00000001.log", "..a/b..", ".hidden"}) {
    CAPTURE(name);
    CHECK(stays_below(name));
  }
  for (auto name : {"", "/", "/a", "..", "../a", "a/..", "a/../../b", "./a", "a/"}) {
    CAPTURE(name);
    CHECK_FALSE(stays_below(name));
  }
  CHECK_FALSE(stays_below(std::string_view("a\0b", 3)));
}

TEST_CASE("blocks that cannot be read are zeros") {
  // Whatever is not mapped there is an input/output error.
  testing::TemporaryDirectory top;
  auto to = top.path / "copy";
  CHECK_FALSE(copy_file({"/proc/self", "mem"}, top.path / "none", 10'000, [](std::uint64_t) {}));
  std::uint64_t told = 0;
  auto copy =
      copy_readable({"/proc/self", "mem"}, to, 10'000, [&](std::uint64_t bytes) { told += bytes; });
  REQUIRE(copy);
  CHECK(copy->unread == 10'000);
  CHECK(told == 10'000);
  CHECK(files_in(top.path)["copy"] == std::string(10'000, '\0'));
}

}  // namespace
}  // namespace hikyaku::app
