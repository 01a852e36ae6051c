// How fast a store is read through.
#include "app/scrubbing.h"

#include <doctest/doctest.h>

using namespace hikyaku;
using namespace hikyaku::app;
using namespace std::chrono_literals;

TEST_CASE("scrubbing: as fast as the time asks for, a small store faster, a busy disk slower") {
  constexpr auto kMonth = std::chrono::milliseconds(30 * 24h);
  auto pause = [&](std::uint64_t store, std::chrono::nanoseconds took) {
    store::Scrubbed step;
    step.bytes = 1'000'000;
    step.round_bytes = store;
    step.more = true;
    return Scrubbing::pause_after(step, took, kMonth);
  };
  CHECK(pause(1'000'000'000, 5ms) == 245ms);  // 4 MB/s
  CHECK(pause(10'000'000'000'000, 5ms) == 245ms);
  // 40 TB in 2,592,000 s are 15.4 MB/s.
  CHECK(pause(40'000'000'000'000, 5ms) > 59ms);
  CHECK(pause(40'000'000'000'000, 5ms) < 60ms);
  // The disk is busy with something else.
  CHECK(pause(40'000'000'000'000, 100ms) == 400ms);
  CHECK(pause(1'000'000'000, 2s) == 8s);
  // Nothing was read: the next step comes soon.
  store::Scrubbed nothing;
  nothing.more = true;
  CHECK(Scrubbing::pause_after(nothing, 1ms, kMonth) == 4ms);
  // All has been read.
  CHECK(Scrubbing::pause_after({}, 1ms, kMonth) == 10min);
  CHECK(Scrubbing::pause_after({}, 1ms, 3s) == 3s);
  CHECK(Scrubbing::pause_after({}, 1ms, 1ms) == 1s);
}
