#include "app/hung_disk.h"

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

/// A look every second; the seconds of each are those for which a write had gone on then.
std::vector<std::string> told(const std::vector<int>& ages) {
  Lines lines;
  HungDisk disk{Log(lines, LogLevel::Warn)};
  HungDisk::Clock::time_point now{1h};
  for (auto age : ages) disk.look(std::chrono::seconds(age), now += 1s);
  return lines.seen;
}

std::vector<int> operator+(std::vector<int> ages, const std::vector<int>& more) {
  ages.insert(ages.end(), more.begin(), more.end());
  return ages;
}

using Told = std::vector<std::string>;

TEST_CASE("hung disk: told once when it begins and once when it is over") {
  const std::vector<int> calm(10, 0);
  CHECK(told({0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0}).empty());
  CHECK(told({3, 4, 5, 6, 7, 8, 9, 40}) == Told{"event=store.write_hangs ms=5000"});
  CHECK(told(std::vector{4, 5, 6, 7} + calm) ==
        Told{"event=store.write_hangs ms=5000", "event=store.write_goes_on ms=7000"});
  CHECK(told(std::vector{4, 5, 6, 7} + std::vector<int>(9, 0)).size() == 1);
}

TEST_CASE("hung disk: one that is merely slow does not flood the log") {
  std::vector<int> ages;
  for (int write = 0; write < 100; ++write)
    for (int age = 0; age < 8; ++age) ages.push_back(age);
  CHECK(told(ages).size() == 1);
  auto twice = ages + std::vector<int>(10, 0) + ages;
  CHECK(told(twice).size() == 3);
}

}  // namespace
}  // namespace hikyaku::app
