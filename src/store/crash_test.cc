// Random transactions on a disk that loses power at random points. A model knows what every
// acknowledged transaction did; after each crash all of that must be there, whole and in order.
// HIKYAKU_SEED=n repeats one run; HIKYAKU_CRASH_RUNS=n makes that many.
#include <chrono>
#include <cstdlib>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>

#include "base/async.h"
#include "store/key.h"
#include "store/memory_index.h"
#include "store/open.h"
#include "store/simulated_file_system.h"
#include "store/verify.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

constexpr Table kRows = 0xF0;     // what transactions write at random
constexpr Table kHistory = 0xF1;  // n -> transaction: the order in which they ran
constexpr Table kBodies = 0xF2;   // transaction -> body id
constexpr AccountId kAccounts = 3;
/// In kBodies: the transaction's body was given up.
constexpr std::string_view kGone = "gone";

using Rows = std::map<std::string, std::string>;

/// What transaction number `number` does; everything follows from the number and the run's seed.
struct Plan {
  std::uint64_t number;
  std::vector<AccountId> accounts;
  bool lazy = false;
  std::optional<std::string> body;
  std::uint64_t seed;

  Plan(std::uint64_t run, std::uint64_t n) : number(n), seed(run * 1'000'003 + n) {
    std::mt19937_64 random(seed);
    AccountId first = 1 + random() % kAccounts;
    accounts.push_back(first);
    if (random() % 4 == 0) accounts.push_back(1 + first % kAccounts);
    lazy = random() % 8 == 0;
    if (random() % 3 == 0) {
      auto size = random() % 20 == 0 ? random() % 700'000 : random() % 3'000;
      body.emplace(size, '\0');
      for (auto& c : *body) c = static_cast<char>(random());
    }
  }

  /// Calls put(key, value), erase(key), erase_range(begin, end) as planned for one account.
  template <class Target>
  void write(AccountId account, Target& target) const {
    std::mt19937_64 random(seed ^ account);
    auto key = [&] {
      return Key(account, kRows).u8(static_cast<std::uint8_t>(random() % 40)).bytes();
    };
    for (auto count = 1 + random() % 6; count > 0; --count) {
      switch (random() % 6) {
        case 0:
          target.erase(key());
          break;
        case 1: {
          auto a = key(), b = key();
          target.erase_range({std::min(a, b), std::max(a, b)});
          break;
        }
        default:
          target.put(key(), std::to_string(number) + std::string(random() % 50, 'v'));
      }
    }
  }
};

struct Model {
  Rows rows;
  void put(const std::string& key, const std::string& value) { rows[key] = value; }
  void erase(const std::string& key) { rows.erase(key); }
  void erase_range(const KeyRange& range) {
    rows.erase(rows.lower_bound(range.begin), rows.lower_bound(range.end));
  }
};

Rows all_rows(Reader& reader, AccountId account, Table table) {
  Rows rows;
  reader.scan(Key(account, table).children(), [&](std::string_view key, std::string_view value) {
    rows.emplace(key, value);
    return true;
  });
  return rows;
}

class Torture {
 public:
  explicit Torture(std::uint64_t seed) : seed_(seed), random_(seed), files_(seed ^ 0xD15C) {
    disk_->writable = [this] { return files_.powered() && !index_frozen_; };
  }

  void run() {
    for (int crash = 0; crash < 4; ++crash) {
      open();
      if (crash > 0) check();
      if (random_() % 4 == 0) files_.set_short_writes(random_() % 2);
      // Some runs end well; the others within the next operations, syncs failing or power going.
      auto how = random_() % 8;
      if (how < 5) files_.power_off_at(1 + random_() % 120);
      if (how == 5) files_.fail_sync_at(1 + random_() % 30);
      if (how == 6) files_.fail_write_at(1 + random_() % 30);
      work();
      if (random_() % 3 == 0 && store_) files_.power_off_at(1 + random_() % 8);  // while closing
      store_.reset();
      if (!files_.powered() || random_() % 2 == 0) {
        files_.power_off();
        files_.power_on();
      } else {
        files_.restart_process();
      }
    }
    open();
    check();
    store_.reset();
    verify();
  }

  std::uint64_t acknowledged() const { return acknowledged_.size(); }
  std::uint64_t segments_removed() const { return segments_removed_; }
  std::uint64_t bodies_moved() const { return bodies_moved_; }

 private:
  Options options() {
    Options options{.directory = "/store", .workers = pool_, .clock = loop_};
    options.if_missing = IfMissing::Make;
    options.files = &files_;
    options.reserve = 0;
    options.smallest_segment = 16 << 10;
    options.largest_segment = 64 << 10;
    options.most_tail_records = 60;
    options.lazy_delay = std::chrono::milliseconds(5);
    options.open_index = [this]() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<MemoryIndex>(disk_);
    };
    options.journal_failed = [](const Error&) {};
    return options;
  }

  void open() {
    // Recovery itself may be cut off, any number of times.
    while (true) {
      bool cut = random_() % 3 == 0;
      if (cut) files_.power_off_at(1 + random_() % 20);
      auto opened = open_store(options());
      if (opened) {
        store_ = std::move(*opened);
        REQUIRE(store_->statistics().read_only == "");
        files_.power_off_at(0);
        if (files_.powered()) return;
        store_.reset();
      } else {
        REQUIRE_MESSAGE(!files_.powered(), opened.error().describe());
      }
      files_.power_on();
    }
  }

  void work() {
    Gate gate{end_process};
    bool ended = false;
    for (int i = 0; i < 4; ++i) gate.spawn(client(10 + random_() % 20));
    if (reclaims()) gate.spawn(reclaim(random_() % 60));
    gate.close([&] { ended = true; });
    loop_.run(wait_for(ended));
  }

  Task<void> wait_for(const bool& ended) {
    while (!ended) co_await sleep_for(std::chrono::milliseconds(1));
  }

  Task<void> client(std::uint64_t count) {
    for (; count > 0; --count)
      if (!co_await one(next_number_++)) co_return;
  }

  bool reclaims() const { return seed_ % 4 != 0; }

  /// Space returns meanwhile: bodies go and move, segments are left and removed.
  Task<void> reclaim(std::uint64_t steps) {
    for (; steps > 0; --steps) {
      ReclaimRules rules{.before = Time::max(),
                         .dead_percent = static_cast<unsigned>(random_() % 60),
                         .least_age = {},
                         .urgent = random_() % 4 == 0};
      auto done = co_await store_->reclaim(rules);
      if (!done) co_return;
      segments_removed_ += done->segments_removed;
      bodies_moved_ += done->bodies_moved;
    }
  }

  Task<bool> one(std::uint64_t number) {
    Plan plan(seed_, number);
    StagedBlob staged;
    if (plan.body) {
      auto writer = store_->stage();
      auto appended = co_await writer->append(*plan.body);
      if (!appended) co_return false;
      auto finished = co_await writer->finish();
      if (!finished) co_return false;
      staged = *finished;
    }
    BlobId body = 0;
    TransactOptions how;
    how.durability = plan.lazy ? Durability::Lazy : Durability::Sync;
    auto done = co_await store_->transact(
        plan.accounts,
        [&](Transaction& tx) -> Result<void> {
          for (auto account : plan.accounts) {
            std::uint64_t n = 0;
            tx.scan(Key(account, kHistory).children(), Reader::Direction::Backward,
                    [&](std::string_view key, std::string_view) {
                      n = key_fields(key).u64_be();
                      return false;
                    });
            tx.put(Key(account, kHistory).u64(n + 1), std::to_string(number));
            plan.write(account, tx);
          }
          // Gives up some body of before; it goes when reclaiming comes to it.
          if (number % 5 == 0) {
            std::string row, id;
            tx.scan(Key(plan.accounts[0], kBodies).children(),
                    [&](std::string_view key, std::string_view value) {
                      row = key;
                      id = value;
                      return id == kGone || std::stoull(id) % 3 == 0;
                    });
            if (!row.empty() && id != kGone) {
              tx.disown(std::stoull(id), row);
              tx.put(row, kGone);
            }
          }
          if (staged) {
            auto row = Key(plan.accounts[0], kBodies).u64(number);
            body = tx.own(staged, row);
            tx.put(row, std::to_string(body));
          }
          return {};
        },
        how);
    if (!done) co_return false;
    if (plan.lazy) co_return true;
    acknowledged_.insert(number);
    if (body != 0) {
      auto [known, fresh] = bodies_.emplace(body, number);
      REQUIRE_MESSAGE(fresh, "body id ", body, " was given out twice");
    }
    co_return true;
  }

  /// Every record, body, owner and counter; and the index says what all groups together say.
  void verify() {
    VerifyOptions how;
    how.open_scratch = []() -> Result<std::unique_ptr<Index>> {
      return std::make_unique<MemoryIndex>(std::make_shared<MemoryIndexDisk>());
    };
    auto report = verify_store(options(), how);
    REQUIRE_MESSAGE(report, report.error().describe());
    for (const auto& problem : report->problems) FAIL_CHECK(problem);
    // Groups that were reclaimed cannot be replayed for comparing.
    REQUIRE((report->rows > 0 || report->groups == 0 || reclaims()));
  }

  void check() { loop_.run(check_all()); }

  Task<void> check_all() {
    std::map<std::uint64_t, int> seen;
    for (AccountId account = 1; account <= kAccounts; ++account) {
      auto history = co_await store_->read(
          [=](Reader& reader) { return all_rows(reader, account, kHistory); });
      auto rows =
          co_await store_->read([=](Reader& reader) { return all_rows(reader, account, kRows); });
      Model model;
      std::uint64_t n = 0;
      for (const auto& [key, value] : history) {
        REQUIRE(key_fields(key).u64_be() == ++n);
        Plan plan(seed_, std::stoull(value));
        ++seen[plan.number];
        plan.write(account, model);
      }
      REQUIRE(rows == model.rows);
    }
    for (auto number : acknowledged_) REQUIRE_MESSAGE(seen.contains(number), "lost ", number);
    for (auto [number, times] : seen) {
      Plan plan(seed_, number);
      REQUIRE(times == static_cast<int>(plan.accounts.size()));
      if (!plan.body) continue;
      auto row = co_await store_->read([&](Reader& reader) {
        return reader.get(Key(plan.accounts[0], kBodies).u64(plan.number));
      });
      REQUIRE(row);
      if (*row == kGone) continue;
      auto blob = co_await store_->open_blob(std::stoull(*row));
      REQUIRE_MESSAGE(blob, blob.error().describe());
      REQUIRE((*blob)->size() == plan.body->size());
      auto bytes = co_await (*blob)->read(0, 1 << 20);
      REQUIRE_MESSAGE(bytes, bytes.error().describe());
      REQUIRE(*bytes == *plan.body);
      bodies_.emplace(std::stoull(*row), number);
    }
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  testing::TestLoop loop_;
  testing::TestPool pool_;
  SimulatedFileSystem files_;
  std::atomic<bool> index_frozen_{false};
  std::shared_ptr<MemoryIndexDisk> disk_ = std::make_shared<MemoryIndexDisk>();
  std::unique_ptr<Store> store_;
  std::uint64_t next_number_ = 1;
  std::uint64_t segments_removed_ = 0;
  std::uint64_t bodies_moved_ = 0;
  std::set<std::uint64_t> acknowledged_;
  std::map<BlobId, std::uint64_t> bodies_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("crashes: every acknowledged transaction is there, whole and in order") {
  auto now =
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  bool repeat = std::getenv("HIKYAKU_SEED");
  auto first = number_from("HIKYAKU_SEED", now % 1'000'000'000);
  auto runs = repeat ? 1 : number_from("HIKYAKU_CRASH_RUNS", 80);
  std::uint64_t acknowledged = 0, removed = 0, moved = 0;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    INFO("repeat with HIKYAKU_SEED=", seed);
    Torture torture(seed);
    torture.run();
    acknowledged += torture.acknowledged();
    removed += torture.segments_removed();
    moved += torture.bodies_moved();
  }
  CHECK(acknowledged > runs * 20);
  if (runs > 10) CHECK(removed > runs);
  if (runs > 10) CHECK(moved > runs);
}
