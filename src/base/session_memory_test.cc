#include "base/session_memory.h"

#include <doctest/doctest.h>

#include "base/activity.h"

namespace hikyaku {
namespace {

constexpr std::uint64_t kKB = 1024;

TEST_CASE("a session that holds more than one may is to end, and its memory is given back") {
  SessionMemory all;
  all.set_limits({.total = 10'000 * kKB, .per_session = 1'000 * kKB});
  Activity one, other;
  for (auto* activity : {&one, &other}) {
    activity->memory_of_all = &all;
    all.begin_session();
  }
  CHECK(one.hold(1'000 * kKB));
  CHECK(other.hold(10 * kKB));
  CHECK(all.held() == 1'010 * kKB);
  CHECK_FALSE(one.hold(1'001 * kKB));
  CHECK(one.end == Activity::End::TooMuch);
  CHECK(one.hold(2'000 * kKB));  // it is told once
  CHECK(other.end == Activity::End::Not);
  CHECK(one.hold(0));
  CHECK(all.held() == 10 * kKB);
}

TEST_CASE("what a session may yet hold is less when all hold much") {
  SessionMemory all;
  all.set_limits({.total = 1'000 * kKB, .per_session = 500 * kKB});
  Activity one, other;
  for (auto* activity : {&one, &other}) {
    activity->memory_of_all = &all;
    all.begin_session();
  }
  CHECK(one.hold(100 * kKB));
  CHECK(one.room() == 400 * kKB);
  CHECK(one.hold(500 * kKB));
  CHECK(one.room() == 0);
  CHECK(other.hold(450 * kKB));  // beyond seven eighths together: to each its half
  CHECK(other.room() == 50 * kKB);
  CHECK(one.hold(60 * kKB));
  CHECK(one.room() == 440 * kKB);
  CHECK(Activity().room() == UINT64_MAX);
}

TEST_CASE("what others made a session hold counts for all together, not for itself") {
  SessionMemory all;
  all.set_limits({.total = 1'000 * kKB, .per_session = 100 * kKB});
  Activity one, other;
  for (auto* activity : {&one, &other}) {
    activity->memory_of_all = &all;
    all.begin_session();
  }
  CHECK(one.hold(90 * kKB, 400 * kKB));
  CHECK(one.memory == 490 * kKB);
  CHECK(one.room() == 10 * kKB);
  CHECK(other.hold(0, 385 * kKB));  // seven eighths
  CHECK_FALSE(one.hold(90 * kKB, 420 * kKB));
  CHECK(one.end == Activity::End::TooMuch);
  CHECK_FALSE(other.hold(101 * kKB, 0));
}

TEST_CASE("when all hold too much, those end that hold more than their part") {
  SessionMemory all;
  all.set_limits({.total = 1'000 * kKB, .per_session = 1'000 * kKB});
  std::vector<Activity> sessions(10);
  for (auto& session : sessions) {
    session.memory_of_all = &all;
    all.begin_session();
    CHECK(session.hold(60 * kKB));
  }
  CHECK_FALSE(all.crowded());
  CHECK(sessions[0].hold(335 * kKB));  // seven eighths are held now
  CHECK(all.crowded());
  CHECK_FALSE(all.full());
  CHECK(sessions[1].hold(64 * kKB));   // little is always allowed
  CHECK(sessions[2].hold(100 * kKB));  // and so is its part
  CHECK_FALSE(sessions[3].hold(101 * kKB));
  CHECK_FALSE(sessions[0].hold(336 * kKB));
  CHECK_FALSE(all.full());
  for (auto& session : sessions) session.hold(100 * kKB);
  CHECK(all.full());
}

}  // namespace
}  // namespace hikyaku
