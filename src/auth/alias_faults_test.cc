#include "auth/alias_faults.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "auth/directory.h"
#include "store/memory_transaction.h"

namespace hikyaku::auth {
namespace {

struct Fixture {
  store::MemoryTransaction tx;

  Fixture() {
    REQUIRE(add_account(tx, "anna@a.test", "", Language::English, true, Time{}));
    REQUIRE(add_account(tx, "ben+tag@a.test", "", Language::English, true, Time{}));
  }
  void alias(std::string_view address, const std::vector<std::string>& targets) {
    REQUIRE(add_alias(tx, address, targets));
  }
  /// A line for each.
  std::string faults(std::string_view delimiters = "+") {
    std::string lines;
    for (auto& fault : alias_faults(tx, delimiters)) {
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
  auto faults = alias_faults(f.tx, "+");
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].target == "n0@a.test");
  CHECK(faults[0].way.ends_with(" -> n7@a.test -> … -> n19999@a.test -> n0@a.test"));
}

}  // namespace
}  // namespace hikyaku::auth
