// Durable transactions per second: bench_store_store [DIRECTORY [SECONDS]]. Each stages a 4 KB body
// and writes five rows, as a delivery does.
// Opening after kill -9: bench_store_store open [DIRECTORY [MESSAGES [DROP]]]. Writes a store of so
// many messages (100,000) in a child process, kills it, and opens it; with DROP the kernel forgets
// the files before (root). Exits with 1 when that takes longer than 2 s, of up to 1,000,000
// messages.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include "base/completion.h"
#include "base/gate.h"
#include "store/key.h"
#include "store/open.h"
#include "testing/test_loop.h"
#include "testing/test_pool.h"

using namespace hikyaku;
using namespace hikyaku::store;
using Steady = std::chrono::steady_clock;

namespace {

/// Opening after kill -9: at most so long, of at most so many messages.
constexpr double kOpenWithin = 2;
constexpr std::uint64_t kOpenCount = 1'000'000;

struct Run {
  Store& store;
  std::string body = std::string(4096, 'x');
  std::string row = std::string(300, 'r');
  Steady::time_point end;
  std::vector<double> times;
  std::uint32_t next = 0;

  Task<void> client(std::uint32_t account) {
    while (Steady::now() < end) {
      auto began = Steady::now();
      auto writer = store.stage();
      (void)co_await writer->append(body);
      auto staged = *co_await writer->finish();
      auto number = next++;
      auto done = co_await store.transact({account}, [&](Transaction& tx) -> Result<void> {
        auto counter = Key(account, 0x10).bytes();
        auto before = tx.get(counter);
        tx.put(counter, before ? *before : "0");
        auto message = Key(account, 0x11).u32(number);
        tx.put(message, row);
        tx.put(Key(account, 0x12).u32(number), "flags");
        tx.put(Key(account, 0x13).u32(number), "change");
        tx.own(staged, message);
        return {};
      });
      if (!done) std::fprintf(stderr, "%s\n", done.error().describe().c_str());
      times.push_back(std::chrono::duration<double, std::milli>(Steady::now() - began).count());
    }
  }
};

Task<void> all(Run& run, int clients) {
  Gate gate{end_process};
  Completion<bool> ended;
  for (int i = 0; i < clients; ++i) gate.spawn(run.client(1 + static_cast<std::uint32_t>(i) % 200));
  gate.close([give = ended.giver()]() mutable { give(true); });
  co_await ended;
}

std::uint64_t bytes_written() {
  std::ifstream io("/proc/self/io");
  std::string word;
  std::uint64_t value = 0;
  while (io >> word)
    if (word == "write_bytes:") io >> value;
  return value;
}

/// Writes messages until it is killed; says so when there are enough.
[[noreturn]] void write_until_killed(const std::filesystem::path& directory, std::uint64_t count,
                                     int ready) {
  testing::TestLoop loop;
  testing::TestPool pool;
  SystemClock clock;
  auto opened = open_store({.directory = directory.string(),
                            .workers = pool,
                            .clock = clock,
                            .reserve = 0,
                            .if_missing = IfMissing::Make});
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().describe().c_str());
    _exit(1);
  }
  auto& store = **opened;
  // Of the size that rows of messages have: the summary, ENVELOPE, BODYSTRUCTURE, header fields.
  std::string row(900, 'r');
  std::uint64_t done = 0;
  auto write = [&]() -> Task<void> {
    std::vector<StagedBlob> staged;
    for (int i = 0; i < 250; ++i) {
      auto writer = store.stage("salvage");
      (void)co_await writer->append(std::string(600, static_cast<char>('a' + i % 26)));
      staged.push_back(*co_await writer->finish());
    }
    (void)co_await store.transact({1}, [&](Transaction& tx) -> Result<void> {
      for (std::uint64_t i = 0; i < staged.size(); ++i) {
        auto number = done + i;
        auto account = static_cast<AccountId>(1 + number / 50'000);
        auto message = Key(account, 0x14).u64(number);
        tx.put(message, row);
        if (i % 32 == 0) tx.put(Key(account, 0x15).u64(number), std::string(400, 's'));
        tx.put(Key(account, 0x17).u64(number), "email");
        tx.put(Key(account, 0x18).u64(number * 0x9E3779B97F4A7C15), "thread");
        tx.put(Key(account, 0x19).u64(number), "");
        tx.put(Key(account, 0x1A).u64(number), "change of a mailbox");
        tx.own(staged[static_cast<std::size_t>(i)], message);
      }
      return {};
    });
    done += staged.size();
  };
  while (true) {
    loop.run(write());
    if (done == count / 250 * 250 && ::write(ready, "x", 1) != 1) _exit(1);
  }
}

int bench_open(const std::filesystem::path& top, std::uint64_t count, bool drop) {
  auto directory = top / ("hikyaku-bench-" + std::to_string(getpid()));
  int ready[2];
  if (::pipe(ready) != 0) return 1;
  auto child = ::fork();
  if (child == 0) write_until_killed(directory, count, ready[1]);
  ::close(ready[1]);
  char byte = 0;
  bool written = ::read(ready[0], &byte, 1) == 1;
  // In the middle of the next ones.
  ::usleep(300'000);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  if (!written) return std::fprintf(stderr, "the store could not be written\n"), 1;
  if (drop) {
    ::sync();
    std::ofstream("/proc/sys/vm/drop_caches") << "3";
  }
  testing::TestLoop loop;
  testing::TestPool pool;
  SystemClock clock;
  auto began = Steady::now();
  auto opened =
      open_store({.directory = directory.string(), .workers = pool, .clock = clock, .reserve = 0});
  auto took = std::chrono::duration<double>(Steady::now() - began).count();
  if (!opened) return std::fprintf(stderr, "%s\n", opened.error().describe().c_str()), 1;
  auto statistics = (*opened)->statistics();
  bool bound = count <= kOpenCount;
  bool slow = bound && took > kOpenWithin;
  std::printf("open after kill -9: %llu messages, %.2f s, %llu groups replayed%s%s\n",
              static_cast<unsigned long long>(count), took,
              static_cast<unsigned long long>(statistics.replayed_groups), drop ? ", cold" : "",
              slow    ? "; MORE than the 2 s that it may take"
              : bound ? " (at most 2 s: holds)"
                      : "");
  std::fflush(stdout);
  opened->reset();
  std::filesystem::remove_all(directory);
  return slow ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "open")
    return bench_open(argc > 2 ? argv[2] : "/tmp",
                      argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 100'000, argc > 4);
  std::filesystem::path top = argc > 1 ? argv[1] : "/tmp";
  double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  // First: a child has no use for RocksDB's threads of its parent.
  auto failed = bench_open(top, 100'000, false);
  std::printf("clients  tx/s     p50 ms  p99 ms  tx/group  CPU us/tx  written/body byte\n");
  for (int clients : {1, 10, 100, 1000}) {
    auto directory = top / ("hikyaku-bench-" + std::to_string(getpid()));
    testing::TestLoop loop;
    testing::TestPool pool;
    SystemClock clock;
    Options options{.directory = directory.string(), .workers = pool, .clock = clock};
    options.if_missing = IfMissing::Make;
    auto opened = open_store(options);
    if (!opened) return std::fprintf(stderr, "%s\n", opened.error().describe().c_str()), 1;
    auto& store = **opened;
    Run run{.store = store,
            .end = Steady::now() + std::chrono::milliseconds(static_cast<int>(seconds * 1000)),
            .times = {}};
    auto before = bytes_written();
    auto cpu = std::clock();
    loop.run(all(run, clients));
    auto count = run.times.size();
    std::ranges::sort(run.times);
    auto statistics = store.statistics();
    std::printf("%7d  %7.0f  %6.2f  %6.2f  %8.1f  %9.1f  %.2f\n", clients, double(count) / seconds,
                run.times[count / 2], run.times[count * 99 / 100],
                double(count) / double(std::max<std::uint64_t>(statistics.groups, 1)),
                double(std::clock() - cpu) * 1e6 / CLOCKS_PER_SEC / double(count),
                double(bytes_written() - before) / (double(count) * 4096));
    std::fflush(stdout);
    opened->reset();
    std::filesystem::remove_all(directory);
  }
  return failed;
}
