// Bodies: in pieces in, whole out, owned and given up.
#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "crypto/digest.h"
#include "store/rows.h"
#include "store/store_on_disk_test.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = StoreOnDisk::kTable;

}  // namespace

TEST_CASE("store: bodies of every size come back, whole and in ranges") {
  StoreOnDisk disk;
  std::vector<std::pair<BlobId, std::string>> all;
  for (std::size_t size : {0u, 1u, 4096u, 131072u, 131073u, 262144u, 262145u, 1500000u}) {
    auto bytes = random_bytes(size);
    all.emplace_back(disk.own(disk.stage(bytes), "x" + std::to_string(size)), bytes);
    CHECK(disk.loop.run(disk.store->read(
              [&](Reader& reader) { return reader.blob_size(all.back().first); })) == size);
  }
  for (int round = 0; round < 2; ++round) {
    for (auto& [id, bytes] : all) {
      CHECK(disk.body(id) == bytes);
      CHECK(disk.body(id, 10'007) == bytes);
    }
    disk.reopen();
  }
}

TEST_CASE("store: many bodies opened at once are those that are opened one by one") {
  StoreOnDisk disk;
  std::vector<BlobId> ids;
  for (std::size_t size : {3000u, 0u, 100'000u, 5000u, 90'000u, 300'000u, 4000u, 1'500'000u, 10u}) {
    auto name = std::to_string(size);
    ids.push_back(disk.own(disk.stage(name + random_bytes(size)), "x" + name));
  }
  auto backwards = ids;
  std::ranges::reverse(backwards);
  auto some = std::vector<BlobId>{ids[6], 999, ids[0], ids[0], ids[8]};
  auto missing = ids;
  missing.insert(missing.begin() + 3, 999);
  for (int round = 0; round < 2; ++round) {
    for (const auto& wanted : {ids, backwards, some, missing, {999}, {}}) {
      auto opened = disk.loop.run(disk.store->open_blobs(wanted));
      REQUIRE(opened.size() == wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        CAPTURE(i);
        REQUIRE(opened[i].has_value() == (wanted[i] != 999));
        if (!opened[i]) continue;
        auto alone = disk.loop.run(disk.store->open_blob(wanted[i]));
        CHECK((*opened[i])->sha256() == (*alone)->sha256());
        CHECK(disk.loop.run(read_all(**opened[i], 70'001)) == disk.body(wanted[i]));
      }
    }
    disk.reopen();
  }
}

TEST_CASE(
    "store: of bodies opened at once, one that is damaged says nothing about its neighbours") {
  enum class How { Header, Bytes, Cut };
  for (auto how : {How::Header, How::Bytes, How::Cut}) {
    CAPTURE(static_cast<int>(how));
    StoreOnDisk disk;
    std::vector<BlobId> ids;
    for (int i = 0; i < 6; ++i) {
      auto name = "body number " + std::to_string(i);
      ids.push_back(disk.own(disk.stage(name + random_bytes(3000)), name));
    }
    disk.reopen();
    auto journal = disk.directory.path / "journal";
    auto path = std::filesystem::directory_iterator(journal)->path();
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(1 << 18, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    auto at = bytes.find("body number 4");
    REQUIRE(at != std::string::npos);
    if (how == How::Cut) {
      std::filesystem::resize_file(path, at + 100);
    } else {
      file.clear();
      file.seekp(static_cast<std::streamoff>(how == How::Header ? at - 10 : at + 10));
      file.put('#').flush();
    }
    auto opened = disk.loop.run(disk.store->open_blobs(ids));
    REQUIRE(opened.size() == ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      CAPTURE(i);
      auto whole = i != 4 && (i < 4 || how != How::Cut);
      auto read = opened[i] ? disk.loop.run(read_all(**opened[i], 1 << 20))
                            : Result<std::string>(std::unexpected(opened[i].error()));
      REQUIRE(read.has_value() == whole);
      if (whole)
        CHECK(read->starts_with("body number " + std::to_string(i)));
      else
        CHECK(read.error().code == ErrorCode::Corrupt);
    }
  }
}

TEST_CASE("store: bodies have owners; without any they wait for reclaiming, and can come back") {
  StoreOnDisk disk;
  auto staged = disk.stage("shared");
  auto id = disk.own(staged, "one");
  CHECK(disk.own(staged, "two") == id);
  CHECK(disk.own(disk.stage("other"), "x") == id + 1);
  auto change = [&](auto what) {
    auto done = disk.transact([=](Transaction& tx) -> Result<void> {
      what(tx);
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
  };
  auto waiting = [&] {
    return disk.loop.run(disk.store->read([](Reader& reader) {
      int count = 0;
      reader.scan(Key(kInstance, kFreedTable).children(), [&](auto, auto) { return ++count > 0; });
      return count;
    }));
  };
  auto use = [&] {
    auto row = disk.loop.run(disk.store->read([](Reader& reader) {
      std::string value;
      reader.scan(Key(kInstance, kSegmentTable).children(), [&](auto, std::string_view bytes) {
        value = bytes;
        return false;
      });
      return value;
    }));
    return *decode_segment_use(row);
  };
  auto live = use().live;
  auto owner = [](const char* name) { return Key(1, kTable).raw(name).bytes(); };
  change([=](Transaction& tx) { tx.disown(id, owner("one")); });
  CHECK(waiting() == 0);
  change([=](Transaction& tx) { tx.disown(id, owner("nobody")); });
  change([=](Transaction& tx) { tx.disown(id, owner("two")); });
  CHECK(waiting() == 1);
  CHECK(use().live < live);
  CHECK(use().retained == live - use().live);
  CHECK(disk.body(id) == "shared");
  disk.reopen();
  change([=](Transaction& tx) { tx.own(id, owner("again")); });
  CHECK(waiting() == 0);
  CHECK(use().same_bytes({live, 0}));
  // Owned and given up in one transaction.
  auto brief = disk.stage("brief");
  change([=](Transaction& tx) { tx.disown(tx.own(brief, owner("b")), owner("b")); });
  CHECK(waiting() == 1);
  auto unknown = disk.transact([=](Transaction& tx) -> Result<void> {
    tx.own(999, owner("x"));
    return {};
  });
  CHECK_FALSE(unknown);
  CHECK(disk.loop.run(disk.store->open_blob(999)).error().code == ErrorCode::NotFound);
}

TEST_CASE("store: a staged body can be read before and after it is owned") {
  StoreOnDisk disk;
  for (std::size_t size : {1000u, 200'000u, 600'000u}) {
    auto bytes = random_bytes(size);
    auto staged = disk.stage(bytes, 50'000);
    CHECK(staged.size() == size);
    CHECK(staged.sha256() == crypto::digest(crypto::Hash::Sha256, bytes));
    auto read = [&](std::uint64_t offset, std::uint64_t length) -> Task<std::string> {
      auto blob = co_await disk.store->open_staged(staged);
      REQUIRE(blob);
      CHECK((*blob)->size() == size);
      auto part = co_await (*blob)->read(offset, length);
      REQUIRE(part);
      co_return *part;
    };
    CHECK(disk.loop.run(read(0, size)) == bytes);
    CHECK(disk.loop.run(read(size - 500, 200)) == bytes.substr(size - 500, 200));
    CHECK(disk.loop.run(read(size, 10)) == "");
    disk.own(staged, "o");
    CHECK(disk.loop.run(read(0, size)) == bytes);
  }
  CHECK(disk.store->statistics().staged_bytes == 0);
}

TEST_CASE("store: at the limit of staged memory bodies go to the disk, and all come back") {
  StoreOnDisk disk;
  auto options = disk.options();
  options.staged_memory = 100'000;
  disk.store.reset();
  disk.store = *open_store(options);
  std::vector<std::pair<StagedBlob, std::string>> all;
  for (std::size_t i = 0; i < 20; ++i) {
    auto bytes = random_bytes(30'000 + i);
    all.emplace_back(disk.stage(bytes, 1'000), bytes);
    CHECK(disk.store->statistics().staged_bytes <= 100'000);
  }
  for (auto& [staged, bytes] : all) CHECK(disk.body(disk.own(staged, "o")) == bytes);
  all.clear();
  CHECK(disk.store->statistics().staged_bytes == 0);
}
