// A store in a temporary directory, and short words to write to it and read from it. For tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "store/key.h"
#include "store/open.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

namespace hikyaku::store {

inline Task<Result<std::string>> read_all(Blob& blob, std::uint64_t piece) {
  std::string bytes;
  while (bytes.size() < blob.size()) {
    CO_TRY(auto part, co_await blob.read(bytes.size(), piece));
    if (part.empty()) co_return fail(ErrorCode::Internal, "no progress");
    bytes += part;
  }
  co_return bytes;
}

/// A store in a directory of its own; `reopen` closes it and opens it again.
struct StoreOnDisk {
  static constexpr Table kTable = 0xF0;

  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  std::unique_ptr<Store> store;

  StoreOnDisk() { open(); }
  Options options() {
    Options options{.directory = directory.path.string(), .workers = pool, .clock = loop};
    options.if_missing = IfMissing::Make;
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
  Task<Result<std::string>> open_and_read(BlobId id, std::uint64_t piece) {
    CO_TRY(auto blob, co_await store->open_blob(id));
    co_return co_await read_all(*blob, piece);
  }
  std::string body(BlobId id, std::uint64_t piece = 1 << 20) {
    auto bytes = loop.run(open_and_read(id, piece));
    REQUIRE_MESSAGE(bytes, bytes.error().describe());
    return *bytes;
  }
};

/// Always the same; cannot be compressed.
inline std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 12345;
  for (auto& c : bytes) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

}  // namespace hikyaku::store
