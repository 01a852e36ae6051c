// Stores on disk that are looked at and mended, and what damages them. For tests.
#pragma once

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/key.h"
#include "store/open.h"
#include "store/verify.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::store {

/// A store with RocksDB in a directory of its own, with some transactions and bodies in it.
struct Yard {
  static constexpr Table kTable = 0xF0;

  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  Options options;
  std::unique_ptr<Store> store;
  std::vector<BlobId> bodies;

  Yard() : options{.directory = directory.path.string(), .workers = pool, .clock = loop} {
    options.if_missing = IfMissing::Make;
    options.reserve = 0;
    options.smallest_segment = 64 << 10;
    options.largest_segment = 256 << 10;
    options.index_memory = 8 << 20;
    open();
    for (int i = 0; i < 10; ++i) {
      put("k" + std::to_string(i));
      bodies.push_back(deliver(i == 5 ? 300'000 : 9'000, "salvage " + std::to_string(i)));
    }
    REQUIRE(loop.run(store->transact({1}, [&](Transaction& tx) -> Result<void> {
      tx.disown(bodies[0], Key(1, kTable).raw("owner"));
      return {};
    })));
  }
  void open() {
    auto opened = open_store(options);
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  void put(std::string key) {
    REQUIRE(loop.run(store->transact({1}, [=](Transaction& tx) -> Result<void> {
      tx.put(Key(1, kTable).raw(key), std::string(100, 'v'));
      return {};
    })));
  }
  std::optional<std::string> get(std::string key) {
    return loop.run(
        store->read([=](Reader& reader) { return reader.get(Key(1, kTable).raw(key)); }));
  }
  BlobId deliver(std::size_t size, std::string salvage) {
    return deliver(std::string(size, 'b'), std::move(salvage));
  }
  BlobId deliver(std::string body, std::string salvage) {
    auto whole = [](Store& in, std::string bytes, std::string beside) -> Task<BlobId> {
      auto writer = in.stage(beside);
      REQUIRE(co_await writer->append(bytes));
      auto staged = *co_await writer->finish();
      BlobId id = 0;
      REQUIRE(co_await in.transact({1}, [&](Transaction& tx) -> Result<void> {
        id = tx.own(staged, Key(1, kTable).raw("owner"));
        return {};
      }));
      co_return id;
    };
    return loop.run(whole(*store, body, salvage));
  }
  VerifyReport verify(bool repair = false) {
    store.reset();
    VerifyOptions how;
    how.repair = repair;
    auto report = verify_store(options, how);
    REQUIRE_MESSAGE(report, report.error().describe());
    return *report;
  }
  void lose_index() {
    store.reset();
    std::filesystem::remove_all(directory.path / "index");
  }
  void flip(const std::string& name, std::streamoff offset) {
    std::fstream file(directory.path / "journal" / name,
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    char c = static_cast<char>(file.get() ^ 4);
    file.seekp(offset);
    file.put(c);
    REQUIRE(file.good());
  }
  std::string last_log() {
    std::string last;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path / "journal"))
      if (entry.path().extension() == ".log")
        last = std::max(last, entry.path().filename().string());
    return last;
  }
  /// Where the text stands in a log segment.
  std::pair<std::string, std::streamoff> find(const std::string& text) {
    for (const auto& entry : std::filesystem::directory_iterator(directory.path / "journal")) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(file)), {});
      if (auto at = bytes.find(text); at != bytes.npos)
        return {entry.path().filename().string(), static_cast<std::streamoff>(at)};
    }
    FAIL("not found");
    return {};
  }
};

/// A journal of which segments in the middle are gone, many rows, and (unless told otherwise) a
/// copy of the index.
struct ReclaimedYard : Yard {
  static constexpr int kRows = 4'000;

  ReclaimedYard() {
    std::vector<BlobId> dropped;
    for (int i = 0; i < 40; ++i) dropped.push_back(deliver(value(i, 9'000), ""));
    REQUIRE(loop.run(store->transact({1}, [&](Transaction& tx) -> Result<void> {
      for (int i = 0; i < kRows; ++i) tx.put(row(i), value(i));
      for (auto id : dropped) tx.disown(id, Key(1, kTable).raw("owner"));
      return {};
    })));
    // Into the tables, and out of the segments that go.
    store.reset();
    open();
    auto rules =
        ReclaimRules{.before = Time::max(), .dead_percent = 1, .least_age = {}, .urgent = true};
    for (bool more = true; more;) {
      auto done = loop.run(store->reclaim(rules));
      REQUIRE_MESSAGE(done, done.error().describe());
      more = done->more;
    }
    for (int i = 0; i < 30; ++i) put("later " + std::to_string(i));
    store.reset();
    REQUIRE_FALSE(std::filesystem::exists(directory.path / "journal" / "0000000003.log"));
    REQUIRE(std::filesystem::exists(directory.path / "checkpoint" / "CURRENT"));
  }
  static std::string row(int i) {
    return Key(2, kTable).u32(static_cast<std::uint32_t>(i)).bytes();
  }
  static std::string value(int i, std::size_t size = 64) {
    std::string text;
    for (std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761U; text.size() < size;
         x = x * 1664525U + 1013904223U)
      text += static_cast<char>(x >> 24);
    return text;
  }
  /// Damages the largest table.
  void spoil(const std::string& of) {
    std::filesystem::path table;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path / of))
      if (entry.path().extension() == ".sst" &&
          (table.empty() || entry.file_size() > std::filesystem::file_size(table)))
        table = entry.path();
    flip((".." / std::filesystem::path(of) / table.filename()).string(),
         static_cast<std::streamoff>(std::filesystem::file_size(table) / 2));
  }
  int rows_there() {
    open();
    int there = 0;
    for (int i = 0; i < kRows; ++i) {
      auto found = loop.run(store->read([&](Reader& reader) { return reader.get(row(i)); }));
      if (!found) continue;
      CHECK(*found == value(i));
      ++there;
    }
    store.reset();
    return there;
  }
};

}  // namespace hikyaku::store
