#include "base/semaphores.h"

#include <doctest/doctest.h>
#include <memory>
#include <vector>

#include "base/gate.h"
#include "testing/test_loop.h"

namespace hikyaku {
namespace {

TEST_CASE("who waits, waits for those of the same key, and an unused key is forgotten") {
  testing::TestLoop loop;
  Semaphores<int> semaphores(1);
  using Permit = Semaphores<int>::Permit;
  std::vector<std::unique_ptr<Permit>> first, second;
  auto take = [&](int key) { return std::make_unique<Permit>(loop.run(semaphores.acquire(key))); };
  first.push_back(take(1));
  second.push_back(take(2));  // at once
  CHECK(semaphores.size() == 2);
  second.clear();
  CHECK(semaphores.size() == 1);
  bool has_it = false;
  Gate gate{[](std::exception_ptr) {}};
  auto wait = [](Semaphores<int>& from, bool& done) -> Task<void> {
    auto permit = co_await from.acquire(1);
    done = true;
  };
  gate.spawn(wait(semaphores, has_it));
  loop.run_ready();
  CHECK(!has_it);
  first.clear();
  loop.run_ready();
  CHECK(has_it);
  CHECK(semaphores.size() == 0);
}

}  // namespace
}  // namespace hikyaku
