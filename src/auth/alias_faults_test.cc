#include "auth/alias_faults.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/core.h>

#include "auth/directory.h"
#include "store/memory_store.h"
#include "testing/test_loop.h"

namespace hikyaku::auth {
namespace {

struct Fixture {
  testing::TestLoop loop;
  store::MemoryStore store;
  store::MemoryTransaction& tx = store.keys();

  Fixture() {
    REQUIRE(add_account(tx, "anna@a.test", "", Language::English, true, Time{}));
    REQUIRE(add_account(tx, "ben+tag@a.test", "", Language::English, true, Time{}));
  }
  void alias(std::string_view address, const std::vector<std::string>& targets) {
    REQUIRE(add_alias(tx, address, targets));
  }
  std::vector<AliasFault> find(std::string delimiters = "+") {
    return loop.run(find_alias_faults(store, std::move(delimiters)));
  }
  /// A line for each.
  std::string faults(std::string delimiters = "+") {
    std::string lines;
    for (auto& fault : find(std::move(delimiters))) {
      constexpr std::string_view kWhat[] = {"nobody", "catch-all", "circle"};
      lines +=
          fmt::format("{} {} {}{}{}\n", kWhat[static_cast<std::size_t>(fault.what)], fault.address,
                      fault.target, fault.way.empty() ? "" : " (" + fault.way + ")",
                      fault.delivered ? " delivered" : "");
    }
    return lines;
  }
};

TEST_CASE("aliases that lead to somebody are well") {
  Fixture f;
  f.alias("sales@a.test", {"anna@a.test", "anna+work@a.test", "c@elsewhere.test"});
  f.alias("all@a.test", {"sales@a.test", "sales+x@a.test", "ben+tag@a.test", "abuse@a.test"});
  CHECK(f.faults() == "");
  CHECK(f.faults("") ==
        "nobody all@a.test sales+x@a.test delivered\n"
        "nobody sales@a.test anna+work@a.test delivered\n");
}

TEST_CASE("a target that nobody has is named, and whether anybody else gets the mail") {
  Fixture f;
  f.alias("sales@a.test", {"anna@a.test", "gone@a.test"});
  f.alias("info@a.test", {"gone@a.test"});
  f.alias("more@a.test", {"info@a.test"});  // leads to somebody: what follows is told there
  CHECK(f.faults() ==
        "nobody info@a.test gone@a.test\nnobody sales@a.test gone@a.test delivered\n");
  REQUIRE(set_catch_all(f.tx, "a.test", "anna@a.test"));
  CHECK(f.faults() == "");
  REQUIRE(set_catch_all(f.tx, "a.test", "nobody@a.test"));
  CHECK(f.faults() ==
        "nobody info@a.test gone@a.test\nnobody sales@a.test gone@a.test delivered\n"
        "catch-all a.test nobody@a.test\n");
}

TEST_CASE("the circle that one alias is in") {
  Fixture f;
  auto way = [&](std::string_view address) {
    auto fault = find_circle(f.tx, address, "+");
    return fault ? fault->way + (fault->delivered ? " delivered" : "") : "";
  };
  CHECK(way("gone@a.test") == "");
  f.alias("l1@a.test", {"l2@a.test"});
  CHECK(way("l1@a.test") == "");
  f.alias("l2@a.test", {"l3+x@a.test", "l4@a.test"});
  f.alias("l3@a.test", {"l1@a.test"});
  CHECK(way("L2@A.test") == "l2@a.test -> l3@a.test -> l1@a.test -> l2@a.test");
  f.alias("into@a.test", {"l1@a.test"});
  CHECK(way("into@a.test") == "");  // it leads into one that is told elsewhere
  f.alias("l4@a.test", {"l2@a.test"});
  CHECK(way("l2@a.test") == "l2@a.test -> l4@a.test -> l2@a.test");
  f.alias("l3@a.test", {"anna@a.test"});
  CHECK(way("l3@a.test") == "l3@a.test -> l1@a.test -> l2@a.test -> l3@a.test delivered");
}

TEST_CASE("each circle is named once, from whatever leads into it") {
  Fixture f;
  f.alias("a@a.test", {"b@a.test"});
  f.alias("b@a.test", {"c+x@a.test"});
  f.alias("c@a.test", {"a@a.test"});
  f.alias("into@a.test", {"a@a.test", "b@a.test"});
  CHECK(f.faults() == "circle c@a.test a@a.test (a@a.test -> b@a.test -> c@a.test -> a@a.test)\n");
}

TEST_CASE("a chain of any length is followed") {
  Fixture f;
  constexpr int kLength = 20'000;
  for (int i = 0; i < kLength; ++i)
    f.alias(fmt::format("n{}@a.test", i), {fmt::format("n{}@a.test", (i + 1) % kLength)});
  auto faults = f.find();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].target == "n0@a.test");
  CHECK(faults[0].way.ends_with(" -> n7@a.test -> … -> n19999@a.test -> n0@a.test"));
}

TEST_CASE("however many aliases there are, each read is a small piece") {
  Fixture f;
  constexpr int kAliases = 5'000;
  for (int i = 0; i < kAliases; ++i)
    f.alias(fmt::format("n{}@a.test", i), {fmt::format("gone{}@a.test", i), "anna@a.test"});
  auto faults = f.find();
  CHECK(faults.size() == kAliases);
  CHECK(f.store.reads.count > 10);
  CHECK(f.store.reads.most_rows < 1'100);
  CHECK(std::ranges::all_of(faults, &AliasFault::delivered));
  // What nobody has is resolved by a catch-all that leads to many.
  std::vector<std::string> many;
  for (int i = 0; i < 900; ++i) many.push_back(fmt::format("away{}@a.test", i));
  REQUIRE(add_domain(f.tx, "b.test", Time{}));
  f.alias("many@b.test", many);
  REQUIRE(set_catch_all(f.tx, "b.test", "many@b.test"));
  for (int i = 0; i < 20; ++i)
    f.alias(fmt::format("m{}@a.test", i), {fmt::format("x{}@b.test", i)});
  CHECK(f.find().size() == kAliases + 900 + 20);
  CHECK(f.store.reads.most_rows < 5'000);
}

}  // namespace
}  // namespace hikyaku::auth
