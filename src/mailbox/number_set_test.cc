#include "mailbox/number_set.h"

#include <doctest/doctest.h>
#include <random>
#include <set>

namespace hikyaku::mailbox {
namespace {

TEST_CASE("a set does what std::set does") {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    NumberSet set, other;
    std::set<std::uint64_t> want, want_other;
    for (int i = 0; i < 60; ++i) {
      auto first = random() % 100, last = first + random() % 4;
      auto& into = random() % 3 ? set : other;
      auto& into_want = &into == &set ? want : want_other;
      into.add({first, last});
      for (auto n = first; n <= last; ++n) into_want.insert(n);
    }
    auto check = [&] {
      REQUIRE(set.numbers() == std::vector<std::uint64_t>(want.begin(), want.end()));
      REQUIRE(set.count() == want.size());
      for (std::uint64_t n = 0; n < 110; ++n) REQUIRE(set.contains(n) == want.contains(n));
      for (std::size_t i = 1; i < set.ranges().size(); ++i)
        REQUIRE(set.ranges()[i].first > set.ranges()[i - 1].last + 1);
    };
    check();
    CHECK(NumberSet::of(set.ranges()) == set);
    Encoder out;
    set.encode(out);
    Decoder in(out.bytes());
    NumberSet again;
    REQUIRE(again.decode(in));
    CHECK(again == set);
    CHECK(in.at_end());
    set.remove(other);
    for (auto n : want_other) want.erase(n);
    check();
  }
}

TEST_CASE("the ends of the number range") {
  NumberSet set{0, UINT64_MAX};
  set.add({UINT64_MAX - 1, UINT64_MAX});
  CHECK(set.ranges().size() == 2);
  CHECK(set.contains(UINT64_MAX));
  set.add({0, UINT64_MAX});
  CHECK(set.ranges().size() == 1);
  CHECK(set.count() == UINT64_MAX);
  set.remove(NumberSet{UINT64_MAX});
  CHECK(!set.contains(UINT64_MAX));
}

TEST_CASE("bytes that no set has are refused") {
  for (std::string_view bytes :
       {std::string_view(""), std::string_view("\x01", 1), std::string_view("\x01\x01", 2),
        std::string_view("\x02\x01\x01\x01\x01", 5),                                  // touching
        std::string_view("\x02\x01\x01\x00\x01", 5),                                  // overlapping
        std::string_view("\xFF\xFF\xFF\xFF\x0F\x01", 6),                              // count
        std::string_view("\x01\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 12)}) {  // beyond 2^64
    Decoder in(bytes);
    NumberSet set;
    CHECK(!set.decode(in));
  }
}

}  // namespace
}  // namespace hikyaku::mailbox
