#include "app/give_way.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

using Ids = std::vector<std::uint64_t>;

SessionFacts stranger(std::uint64_t id, std::string_view address, std::uint64_t memory,
                      seconds idle) {
  SessionFacts facts;
  facts.id = id;
  facts.activity.protocol = "smtp";
  facts.activity.memory = memory;
  facts.peer.address = *IpAddress::parse(address);
  facts.idle = idle;
  return facts;
}

TEST_CASE("the largest crowd gives way first, whoever was silent for longest") {
  std::vector<SessionFacts> all;
  for (std::uint64_t i = 1; i <= 5; ++i)
    all.push_back(stranger(i, "192.0.2.1", 100, seconds(i == 3 ? 9 : 1)));
  for (std::uint64_t i = 6; i <= 8; ++i)
    all.push_back(stranger(i, "2001:db8::" + std::to_string(i), 100, seconds(i)));
  all.push_back(stranger(9, "192.0.2.9", 150, seconds(5)));
  for (auto& one : all) one.activity.busy = true;
  CHECK(choose_to_give_way(all, {.bytes = 100, .fair = 200}) == Ids{3});
  // From 500 and 300 down to 200 each.
  CHECK(choose_to_give_way(all, {.bytes = 400, .fair = 200}).size() == 4);
  CHECK(choose_to_give_way(all, {.bytes = 5000, .fair = 200}).size() == 4);
  auto two = choose_to_give_way(all, {.bytes = 250, .fair = 200});
  CHECK(two.size() == 3);
  // Those that go already count.
  all[0].activity.end = Activity::End::Crowded;
  CHECK(choose_to_give_way(all, {.bytes = 100, .fair = 200}).empty());
  CHECK(choose_to_give_way(all, {.bytes = 0, .fair = 0}).empty());
}

TEST_CASE("of small ones those that say nothing; whoever has logged in stays") {
  std::vector<SessionFacts> all{
      stranger(1, "192.0.2.1", 100, seconds(9)),   stranger(2, "192.0.2.2", 100, seconds(11)),
      stranger(3, "192.0.2.3", 100, seconds(300)), stranger(4, "192.0.2.4", 100, seconds(50)),
      stranger(5, "192.0.2.5", 100, seconds(70)),  stranger(6, "192.0.2.6", 5000, seconds(900)),
      stranger(7, "0.0.0.0", 100, seconds(900)),   stranger(8, "0.0.0.0", 100, seconds(900))};
  all[3].activity.busy = all[4].activity.busy = true;
  all[5].activity.log_in(1, "anna@alpha.test", "", {});
  all[6].activity.protocol = "control";
  all[7].activity.protocol = "local";
  CHECK(choose_to_give_way(all, {.bytes = 50, .fair = 1000}) == Ids{3});
  CHECK(choose_to_give_way(all, {.bytes = 9000, .fair = 1000}) == Ids{2, 3});
  CHECK(choose_to_give_way(all, {.bytes = 9000, .fair = 1000, .urgent = true}) == Ids{2, 3, 5});
}

}  // namespace
}  // namespace hikyaku::app
