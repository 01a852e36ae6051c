#include "base/patient_clock.h"

#include <doctest/doctest.h>

using namespace hikyaku;
using namespace std::chrono_literals;

namespace {

struct Bench {
  struct Wall final : Clock {
    Time time = Time(1'000'000'000s);
    Time now() const override { return time; }
  };
  Wall wall;
  std::chrono::steady_clock::time_point steady{};
  PatientClock patient{wall, [this] { return steady; }};

  void pass(std::chrono::seconds time) {
    wall.time += time;
    steady += time;
  }
};

}  // namespace

TEST_CASE("a patient clock goes as the other does") {
  Bench bench;
  for (auto step : {1s, 3600s, 1'000'000s}) {
    bench.pass(step);
    CHECK(bench.patient.now() == bench.wall.time);
  }
  bench.wall.time += 30s;  // corrected a little
  CHECK(bench.patient.now() == bench.wall.time);
  CHECK(bench.patient.ahead() == 0ms);
}

TEST_CASE("a leap ahead and back is not followed") {
  Bench bench;
  auto before = bench.wall.time;
  bench.wall.time += 10000h;
  CHECK(bench.patient.now() == before);
  CHECK(bench.patient.ahead() == 10000h);
  bench.pass(23h);
  CHECK(bench.patient.now() == before + 23h);
  bench.wall.time -= 10000h;
  CHECK(bench.patient.now() == before + 23h);
  bench.wall.time += 10000h;  // a second leap is looked at anew
  bench.pass(2h);
  CHECK(bench.patient.now() == before + 25h);
}

TEST_CASE("a clock is settled a day after its last leap, ahead or back") {
  Bench bench;
  CHECK_FALSE(bench.patient.is_settled());
  bench.pass(24h);
  CHECK(bench.patient.is_settled());
  for (auto leap : {100h, -100h}) {
    bench.wall.time += leap;
    CHECK_FALSE(bench.patient.is_settled());
    bench.pass(23h);
    CHECK_FALSE(bench.patient.is_settled());
    bench.pass(1h);
    CHECK(bench.patient.is_settled());
  }
}

TEST_CASE("what stays for a day is believed, and a clock that is set back at once") {
  Bench bench;
  bench.wall.time += 500h;
  (void)bench.patient.now();
  bench.pass(24h);
  CHECK(bench.patient.now() == bench.wall.time);
  bench.wall.time -= 10000h;
  CHECK(bench.patient.now() == bench.wall.time);
  bench.pass(1h);
  CHECK(bench.patient.now() == bench.wall.time);
}
