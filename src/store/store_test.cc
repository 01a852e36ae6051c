#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <unistd.h>

#include "base/async.h"
#include "base/gate.h"
#include "crypto/digest.h"
#include "store/key.h"
#include "store/memory_index.h"
#include "store/open.h"
#include "store/posix_file_system.h"
#include "store/rows.h"
#include "store/verify.h"
#include "testing/temporary_directory.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kTable = 0xF0;

Task<Result<std::string>> read_all(Blob& blob, std::uint64_t piece) {
  std::string bytes;
  while (bytes.size() < blob.size()) {
    CO_TRY(auto part, co_await blob.read(bytes.size(), piece));
    if (part.empty()) co_return fail(ErrorCode::Internal, "no progress");
    bytes += part;
  }
  co_return bytes;
}

/// A store in a directory of its own; `reopen` closes it and opens it again.
struct Bench {
  testing::TestLoop loop;
  testing::TestPool pool;
  testing::TemporaryDirectory directory;
  std::unique_ptr<Store> store;

  Bench() { open(); }
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

TEST_CASE("store: many bodies opened at once are those that are opened one by one") {
  Bench bench;
  std::vector<BlobId> ids;
  for (std::size_t size : {3000u, 0u, 100'000u, 5000u, 90'000u, 300'000u, 4000u, 1'500'000u, 10u}) {
    auto name = std::to_string(size);
    ids.push_back(bench.own(bench.stage(name + some_bytes(size)), "x" + name));
  }
  auto backwards = ids;
  std::ranges::reverse(backwards);
  auto some = std::vector<BlobId>{ids[6], 999, ids[0], ids[0], ids[8]};
  auto missing = ids;
  missing.insert(missing.begin() + 3, 999);
  for (int round = 0; round < 2; ++round) {
    for (const auto& wanted : {ids, backwards, some, missing, {999}, {}}) {
      auto opened = bench.loop.run(bench.store->open_blobs(wanted));
      REQUIRE(opened.size() == wanted.size());
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        CAPTURE(i);
        REQUIRE(opened[i].has_value() == (wanted[i] != 999));
        if (!opened[i]) continue;
        auto alone = bench.loop.run(bench.store->open_blob(wanted[i]));
        CHECK((*opened[i])->sha256() == (*alone)->sha256());
        CHECK(bench.loop.run(read_all(**opened[i], 70'001)) == bench.body(wanted[i]));
      }
    }
    bench.reopen();
  }
}

TEST_CASE(
    "store: of bodies opened at once, one that is damaged says nothing about its neighbours") {
  enum class How { Header, Bytes, Cut };
  for (auto how : {How::Header, How::Bytes, How::Cut}) {
    CAPTURE(static_cast<int>(how));
    Bench bench;
    std::vector<BlobId> ids;
    for (int i = 0; i < 6; ++i) {
      auto name = "body number " + std::to_string(i);
      ids.push_back(bench.own(bench.stage(name + some_bytes(3000)), name));
    }
    bench.reopen();
    auto journal = bench.directory.path / "journal";
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
    auto opened = bench.loop.run(bench.store->open_blobs(ids));
    REQUIRE(opened.size() == ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      CAPTURE(i);
      auto whole = i != 4 && (i < 4 || how != How::Cut);
      auto read = opened[i] ? bench.loop.run(read_all(**opened[i], 1 << 20))
                            : Result<std::string>(std::unexpected(opened[i].error()));
      REQUIRE(read.has_value() == whole);
      if (whole)
        CHECK(read->starts_with("body number " + std::to_string(i)));
      else
        CHECK(read.error().code == ErrorCode::Corrupt);
    }
  }
}

TEST_CASE("store: a step sees what it wrote; an error or exception drops it alone") {
  Bench bench;
  bench.put("a", "1");
  auto failed = bench.transact([](Transaction& tx) -> Result<void> {
    auto key = Key(1, kTable).raw("a");
    tx.put(key, "2");
    CHECK(tx.get(key) == "2");
    CHECK(tx.has_put(key));
    tx.erase_range(Key(1, kTable).children());
    CHECK(tx.get(key) == std::nullopt);
    CHECK_FALSE(tx.has_put(key));
    return fail(ErrorCode::Denied, "no");
  });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::Denied);
  auto threw = bench.transact([](Transaction& tx) -> Result<void> {
    tx.put(Key(1, kTable).raw("a"), "3");
    throw std::runtime_error("a defect");
  });
  REQUIRE_FALSE(threw);
  CHECK(threw.error().code == ErrorCode::Internal);
  auto bad_key = bench.transact([](Transaction& tx) -> Result<void> {
    tx.put("x", "");
    return {};
  });
  REQUIRE_FALSE(bad_key);
  CHECK(bench.get("a") == "1");
  CHECK(bench.store->statistics().failed_steps >= 3);
}

TEST_CASE("store: concurrent transactions share groups and see each other in order") {
  Bench bench;
  int ended = 0;
  Gate gate;
  auto client = [](Store& store, AccountId account, int count, int& done) -> Task<void> {
    for (int i = 0; i < count; ++i) {
      auto result = co_await store.transact({account}, [&](Transaction& tx) -> Result<void> {
        auto key = Key(9, kTable).raw("counter");
        auto value = tx.get(key);
        tx.put(key, std::to_string(std::stoi(value.value_or("0")) + 1));
        return {};
      });
      CHECK(result);
    }
    ++done;
  };
  for (AccountId i = 0; i < 50; ++i) gate.spawn(client(*bench.store, i % 7, 10, ended));
  auto wait = [&]() -> Task<void> {
    while (ended < 50) co_await yield_now();
  };
  bench.loop.run(wait());
  gate.close([] {});
  CHECK(bench.loop.run(bench.store->read(
            [](Reader& reader) { return reader.get(Key(9, kTable).raw("counter")); })) == "500");
  CHECK(bench.store->statistics().groups < 400);
}

TEST_CASE("store: snapshots stay as they were, scans go both ways") {
  Bench bench;
  for (auto key : {"a", "b", "c", "d"}) bench.put(key, key);
  auto pinned = bench.store->snapshot();
  auto erased = bench.transact([](Transaction& tx) -> Result<void> {
    tx.erase(Key(1, kTable).raw("b"));
    tx.put(Key(1, kTable).raw("e"), "e");
    return {};
  });
  REQUIRE(erased);
  auto list = [](Reader::Direction direction) {
    return [=](Reader& reader) {
      std::string all;
      reader.scan(Key(1, kTable).children(), direction, [&](auto, std::string_view value) {
        all += value;
        return all.size() < 4;
      });
      return all;
    };
  };
  using enum Reader::Direction;
  CHECK(bench.loop.run(bench.store->read_at(pinned, list(Forward))) == "abcd");
  CHECK(bench.loop.run(bench.store->read_at(pinned, list(Backward))) == "dcba");
  CHECK(bench.loop.run(bench.store->read(list(Forward))) == "acde");
  CHECK(bench.loop.run(bench.store->read(list(Backward))) == "edca");
}

TEST_CASE("store: bodies have owners; without any they wait for reclaiming, and can come back") {
  Bench bench;
  auto staged = bench.stage("shared");
  auto id = bench.own(staged, "one");
  CHECK(bench.own(staged, "two") == id);
  CHECK(bench.own(bench.stage("other"), "x") == id + 1);
  auto change = [&](auto what) {
    auto done = bench.transact([=](Transaction& tx) -> Result<void> {
      what(tx);
      return {};
    });
    REQUIRE_MESSAGE(done, done.error().describe());
  };
  auto waiting = [&] {
    return bench.loop.run(bench.store->read([](Reader& reader) {
      int count = 0;
      reader.scan(Key(kInstance, kFreedTable).children(), [&](auto, auto) { return ++count > 0; });
      return count;
    }));
  };
  auto use = [&] {
    auto row = bench.loop.run(bench.store->read([](Reader& reader) {
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
  CHECK(bench.body(id) == "shared");
  bench.reopen();
  change([=](Transaction& tx) { tx.own(id, owner("again")); });
  CHECK(waiting() == 0);
  CHECK(use().same_bytes({live, 0}));
  // Owned and given up in one transaction.
  auto brief = bench.stage("brief");
  change([=](Transaction& tx) { tx.disown(tx.own(brief, owner("b")), owner("b")); });
  CHECK(waiting() == 1);
  auto unknown = bench.transact([=](Transaction& tx) -> Result<void> {
    tx.own(999, owner("x"));
    return {};
  });
  CHECK_FALSE(unknown);
  CHECK(bench.loop.run(bench.store->open_blob(999)).error().code == ErrorCode::NotFound);
}

TEST_CASE("store: a staged body can be read before and after it is owned") {
  Bench bench;
  for (std::size_t size : {1000u, 200'000u, 600'000u}) {
    auto bytes = some_bytes(size);
    auto staged = bench.stage(bytes, 50'000);
    CHECK(staged.size() == size);
    CHECK(staged.sha256() == crypto::digest(crypto::Hash::Sha256, bytes));
    auto read = [&](std::uint64_t offset, std::uint64_t length) -> Task<std::string> {
      auto blob = co_await bench.store->open_staged(staged);
      REQUIRE(blob);
      CHECK((*blob)->size() == size);
      auto part = co_await (*blob)->read(offset, length);
      REQUIRE(part);
      co_return *part;
    };
    CHECK(bench.loop.run(read(0, size)) == bytes);
    CHECK(bench.loop.run(read(size - 500, 200)) == bytes.substr(size - 500, 200));
    CHECK(bench.loop.run(read(size, 10)) == "");
    bench.own(staged, "o");
    CHECK(bench.loop.run(read(0, size)) == bytes);
  }
  CHECK(bench.store->statistics().staged_bytes == 0);
}

TEST_CASE("store: at the limit of staged memory bodies go to the disk, and all come back") {
  Bench bench;
  auto options = bench.options();
  options.staged_memory = 100'000;
  bench.store.reset();
  bench.store = *open_store(options);
  std::vector<std::pair<StagedBlob, std::string>> all;
  for (std::size_t i = 0; i < 20; ++i) {
    auto bytes = some_bytes(30'000 + i);
    all.emplace_back(bench.stage(bytes, 1'000), bytes);
    CHECK(bench.store->statistics().staged_bytes <= 100'000);
  }
  for (auto& [staged, bytes] : all) CHECK(bench.body(bench.own(staged, "o")) == bytes);
  all.clear();
  CHECK(bench.store->statistics().staged_bytes == 0);
}

TEST_CASE("store: subscriptions are called after the commit, once for many, never when destroyed") {
  Bench bench;
  int exact = 0, every = 0, other = 0;
  auto a = bench.store->subscribe(1, 7, [&] { ++exact; });
  auto b = bench.store->subscribe(1, Store::kEveryTopic, [&] { ++every; });
  auto c = bench.store->subscribe(2, 7, [&] { ++other; });
  auto notify = [&](std::uint32_t topic) {
    auto done = bench.transact([=](Transaction& tx) -> Result<void> {
      tx.put(Key(1, kTable).raw("n"), std::to_string(topic));
      tx.notify(1, topic);
      return {};
    });
    REQUIRE(done);
    bench.loop.run_ready();
    // The answer of the next transaction comes behind the notifications of this one.
    bench.put("flush", "");
    bench.loop.run_ready();
  };
  notify(7);
  CHECK(exact == 1);
  CHECK(every == 1);
  notify(8);
  CHECK(exact == 1);
  CHECK(every == 2);
  CHECK(other == 0);
  a.reset();
  notify(7);
  CHECK(exact == 1);
  CHECK(every == 3);
  bench.put("x", "");  // a step without notifications wakes nobody
  CHECK(every == 3);
}

TEST_CASE("store: lazy transactions are seen by later steps, and are there after closing") {
  Bench bench;
  auto lazy = bench.transact(
      [](Transaction& tx) -> Result<void> {
        tx.put(Key(1, kTable).raw("lazy"), "1");
        return {};
      },
      {.durability = Durability::Lazy});
  REQUIRE(lazy);
  CHECK(bench.store->statistics().groups == 0);
  auto seen = bench.transact([](Transaction& tx) -> Result<void> {
    CHECK(tx.get(Key(1, kTable).raw("lazy")) == "1");
    return {};
  });
  REQUIRE(seen);
  bench.reopen();
  CHECK(bench.get("lazy") == "1");
}

TEST_CASE("store: a transaction whose waiter goes away is harmless") {
  Bench bench;
  for (int i = 0; i < 100; ++i) {
    auto seen = std::make_unique<int>(0);  // the step uses what the frame holds
    auto wait = [](Store& store, int& value) -> Task<void> {
      (void)co_await store.transact({1}, [&](Transaction&) -> Result<void> {
        ++value;
        return {};
      });
    };
    Gate gate;
    {
      // A frame that is destroyed while it waits.
      struct Starter {
        struct promise_type {
          Starter get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
          }
          std::suspend_never initial_suspend() { return {}; }
          std::suspend_always final_suspend() noexcept { return {}; }
          void return_void() {}
          void unhandled_exception() { std::terminate(); }
        };
        std::coroutine_handle<promise_type> frame;
      };
      auto start = [](Task<void> task) -> Starter { co_await std::move(task); };
      auto starter = start(wait(*bench.store, *seen));
      if (i % 2) bench.put("x", "y");
      starter.frame.destroy();
    }
    seen.reset();
  }
  bench.loop.run_ready();
}

TEST_CASE("store: only one process owns it") {
  Bench bench;
  auto second = open_store(bench.options());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::Conflict);
  CHECK(second.error().text.find(std::to_string(getpid())) != std::string::npos);
}

TEST_CASE("store: after closing nothing is taken") {
  Bench bench;
  bench.put("a", "1");
  auto& store = *bench.store;
  auto late = [&]() -> Task<Result<void>> {
    co_return co_await store.transact({1}, [](Transaction&) -> Result<void> { return {}; });
  };
  CHECK(bench.loop.run(late()));
  store.close();
  store.close();
}

TEST_CASE("store: as after kill -9, with RocksDB's unflushed rows gone") {
  Bench bench;
  for (int i = 0; i < 30; ++i) bench.put("k" + std::to_string(i), std::string(50, 'v'));
  auto bytes = some_bytes(300'000);
  auto id = bench.own(bench.stage(bytes), "o");
  // What is on the disk while the store is open and idle is what a killed process leaves.
  auto copy = bench.directory.path;
  copy += "-copy";
  std::filesystem::copy(bench.directory.path, copy, std::filesystem::copy_options::recursive);
  bench.store.reset();
  std::filesystem::remove_all(bench.directory.path);
  std::filesystem::rename(copy, bench.directory.path);
  bench.open();
  CHECK(bench.store->statistics().replayed_groups == 31);
  for (int i = 0; i < 30; ++i) CHECK(bench.get("k" + std::to_string(i)));
  CHECK(bench.body(id) == bytes);
}

TEST_CASE("store: the index is flushed before a restart would have too much to replay") {
  Bench bench;
  bench.store.reset();
  auto options = bench.options();
  options.most_tail_records = 20;
  bench.store = *open_store(options);
  for (int i = 0; i < 100; ++i) bench.put("k" + std::to_string(i), "v");
  CHECK(bench.store->statistics().index_flushes >= 1);
  CHECK(bench.store->statistics().tail_records <= 100);
  for (int i = 0; i < 100; ++i) CHECK(bench.get("k" + std::to_string(i)) == "v");
}

TEST_CASE("store: after a restart rows come from the disk, on a worker, for reads and steps") {
  Bench bench;
  REQUIRE(bench.transact([](Transaction& tx) -> Result<void> {
    for (int i = 0; i < 500; ++i)
      tx.put(Key(1, kTable).raw("k" + std::to_string(i)), some_bytes(400));
    return {};
  }));
  bench.reopen();
  auto done = bench.transact([](Transaction& tx) -> Result<void> {
    int count = 0;
    tx.scan(Key(1, kTable).children(), [&](auto, auto) { return ++count > 0; });
    CHECK(count == 500);
    return {};
  });
  CHECK(done);
  CHECK(bench.store->statistics().cold_steps >= 1);
  bench.reopen();
  CHECK(bench.get("k7") == some_bytes(400));
}

TEST_CASE("store: accounts take turns") {
  Bench bench;
  std::vector<int> order;
  Gate gate;
  int ended = 0;
  auto one = [](Store& store, AccountId account, int name, std::vector<int>& seen,
                int& count) -> Task<void> {
    auto done = co_await store.transact({account}, [&seen, name](Transaction&) -> Result<void> {
      // The first holds up the committer until all others wait.
      if (name == 0) usleep(100'000);
      if (std::ranges::find(seen, name) == seen.end()) seen.push_back(name);
      return {};
    });
    CHECK(done);
    ++count;
  };
  for (int i = 0; i < 100; ++i) gate.spawn(one(*bench.store, 1, i, order, ended));
  gate.spawn(one(*bench.store, 2, 1000, order, ended));
  auto wait = [&]() -> Task<void> {
    while (ended < 101) co_await yield_now();
  };
  bench.loop.run(wait());
  gate.close([] {});
  auto place = std::ranges::find(order, 1000) - order.begin();
  CHECK(place <= 3);
}

TEST_CASE("store: where there is none, nothing is made unless that is asked for") {
  testing::TemporaryDirectory directory;
  testing::TestLoop loop;
  testing::TestPool pool;
  auto place = directory.path / "data";
  Options options{.directory = place.string(), .workers = pool, .clock = loop};
  for (bool empty : {false, true}) {
    CAPTURE(empty);
    if (empty) std::filesystem::create_directory(place);
    auto opened = open_store(options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::NotFound);
    auto verified = verify_store(options, {});
    REQUIRE_FALSE(verified);
    CHECK(verified.error().code == ErrorCode::NotFound);
    CHECK(std::filesystem::exists(place) == empty);
    if (empty) CHECK(std::filesystem::is_empty(place));
  }
  options.if_missing = IfMissing::Make;
  REQUIRE(open_store(options));
  options.if_missing = IfMissing::Refuse;
  CHECK(open_store(options));

  auto is_missing = [&] {
    PosixFileSystem files;
    return store::is_missing(files, place.string()).value();
  };
  auto move = [&](const char* from, const char* to) {
    std::filesystem::rename(place / from, place / to);
  };
  // A journal without its name is damaged, not missing; so is an index without a journal.
  move("STORE", "name");
  CHECK_FALSE(is_missing());
  CHECK(open_store(options).error().code == ErrorCode::Corrupt);
  move("name", "STORE");
  move("journal", "away");
  CHECK_FALSE(is_missing());
  // A name is not yet a store, nor is what lies about where a journal was.
  move("index", "index.away");
  std::filesystem::create_directory(place / "journal");
  std::ofstream(place / "journal/notes.txt") << "x";
  CHECK(is_missing());
  auto opened = open_store(options);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::NotFound);
  CHECK(verify_store(options, {}).error().code == ErrorCode::NotFound);
  // Who wants another one gets one that can be written to.
  options.if_missing = IfMissing::Make;
  opened = open_store(options);
  REQUIRE(opened);
  CHECK((*opened)->statistics().read_only == "");
}
