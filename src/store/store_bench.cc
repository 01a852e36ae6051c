// Durable transactions per second: bench_store_store [DIRECTORY [SECONDS]]. Each stages a 4 KB body
// and writes five rows, as a delivery does.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
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
  Gate gate;
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

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path top = argc > 1 ? argv[1] : "/tmp";
  double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  std::printf("clients  tx/s     p50 ms  p99 ms  tx/group  CPU us/tx  written/body byte\n");
  for (int clients : {1, 10, 100, 1000}) {
    auto directory = top / ("hikyaku-bench-" + std::to_string(getpid()));
    testing::TestLoop loop;
    testing::TestPool pool;
    SystemClock clock;
    Options options{.directory = directory.string(), .workers = pool, .clock = clock};
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
}
