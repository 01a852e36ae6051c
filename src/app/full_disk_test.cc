#include "app/full_disk.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;

struct Lines final : LogSink {
  std::vector<std::string> seen;
  void write(LogLevel, std::string_view line) override { seen.emplace_back(line); }
};

/// A look every second, with so much free; 100 must be.
std::vector<std::string> told(const std::vector<std::uint64_t>& free) {
  Lines lines;
  FullDisk disk{Log(lines, LogLevel::Warn)};
  FullDisk::Clock::time_point now{1h};
  for (auto bytes : free) disk.look(bytes, 100, now += 1s);
  return lines.seen;
}

using Told = std::vector<std::string>;

TEST_CASE("full disk: told once when mail is refused, and once when it is taken again") {
  CHECK(told({500, 100, 101}).empty());
  CHECK(told({500, 99, 98, 0, 0}) == Told{"event=store.no_space free=99 needed=100"});
  std::vector<std::uint64_t> up_and_down;
  for (int i = 0; i < 20; ++i) up_and_down.push_back(i % 2 == 0 ? 90 : 110);
  CHECK(told(up_and_down) == Told{"event=store.no_space free=90 needed=100"});
  up_and_down.insert(up_and_down.end(), 10, 300);
  CHECK(told(up_and_down) == Told{"event=store.no_space free=90 needed=100",
                                  "event=store.space_again free=300 needed=100 ms=18000"});
}

}  // namespace
}  // namespace hikyaku::app
