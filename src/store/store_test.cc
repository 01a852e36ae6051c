#include <doctest/doctest.h>
#include <filesystem>
#include <stdlib.h>

#include "store/key.h"
#include "store/memory_index.h"
#include "store/open.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;

/// A store in a directory of its own; `reopen` closes it and opens it again.
struct Bench {
  testing::TestLoop loop;
  testing::TestPool pool;
  std::filesystem::path directory;
  std::unique_ptr<Store> store;

  Bench() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "hikyaku-store-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()));
    directory = pattern;
    open();
  }
  ~Bench() {
    store.reset();
    std::filesystem::remove_all(directory);
  }
  Options options() {
    Options options{.directory = directory.string(), .workers = pool, .clock = loop};
    options.reserve = 0;
    options.smallest_segment = 1 << 20;
    return options;
  }
  void open() {
    auto opened = open_store(options());
    REQUIRE_MESSAGE(opened, opened.error().describe());
    store = std::move(*opened);
  }
  void reopen() {
    store.reset();
    open();
  }
  Result<void> transact(Step step, TransactOptions how = {}) {
    return loop.run(store->transact({1}, std::move(step), how));
  }
  void put(std::string key, std::string value) {
    auto done = transact([=](Transaction& tx) -> Result<void> {
      tx.put(Key(1, kTable).raw(key), value);
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
  }
  std::optional<std::string> get(std::string key) {
    return loop.run(
        store->read([=](Reader& reader) { return reader.get(Key(1, kTable).raw(key)); }));
  }
  StagedBlob stage(std::string_view bytes, std::size_t piece = 4096) {
    return loop.run(stage_pieces(bytes, piece));
  }
  Task<StagedBlob> stage_pieces(std::string_view bytes, std::size_t piece) {
    auto writer = store->stage("salvage");
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
      REQUIRE(co_await writer->append(bytes.substr(0, piece)));
    auto staged = co_await writer->finish();
    REQUIRE(staged);
    co_return *staged;
  }
  BlobId own(const StagedBlob& blob, std::string owner) {
    BlobId id = 0;
    auto done = transact([&](Transaction& tx) -> Result<void> {
      id = tx.own(blob, Key(1, kTable).raw(owner));
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
    return id;
  }
  Task<Result<std::string>> read_all(BlobId id, std::uint64_t piece) {
    CO_TRY(auto blob, co_await store->open_blob(id));
    std::string bytes;
    while (bytes.size() < blob->size()) {
      CO_TRY(auto part, co_await blob->read(bytes.size(), piece));
      if (part.empty()) co_return fail(ErrorCode::Internal, "no progress");
      bytes += part;
    }
    co_return bytes;
  }
  std::string body(BlobId id, std::uint64_t piece = 1 << 20) {
    auto bytes = loop.run(read_all(id, piece));
    REQUIRE_MESSAGE(bytes, bytes.error().describe());
    return *bytes;
  }
};

std::string some_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 12345;
  for (auto& c : bytes) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

}  // namespace

TEST_CASE("store: what was written is there, also after reopening") {
  Bench bench;
  bench.put("a", "1");
  bench.put("b", "2");
  CHECK(bench.get("a") == "1");
  bench.reopen();
  CHECK(bench.get("a") == "1");
  CHECK(bench.get("b") == "2");
  CHECK(bench.get("c") == std::nullopt);
  bench.put("c", "3");
  bench.reopen();
  CHECK(bench.get("c") == "3");
}

TEST_CASE("store: bodies of every size come back, whole and in ranges") {
  Bench bench;
  std::vector<std::pair<BlobId, std::string>> all;
  for (std::size_t size : {0u, 1u, 4096u, 131072u, 131073u, 262144u, 262145u, 1500000u}) {
    auto bytes = some_bytes(size);
    all.emplace_back(bench.own(bench.stage(bytes), "x" + std::to_string(size)), bytes);
    CHECK(bench.loop.run(bench.store->read(
              [&](Reader& reader) { return reader.blob_size(all.back().first); })) == size);
  }
  for (int round = 0; round < 2; ++round) {
    for (auto& [id, bytes] : all) {
      CHECK(bench.body(id) == bytes);
      CHECK(bench.body(id, 10'007) == bytes);
    }
    bench.reopen();
  }
}
