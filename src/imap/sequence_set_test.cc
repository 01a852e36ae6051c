#include "imap/sequence_set.h"

#include <chrono>
#include <doctest/doctest.h>
#include <numeric>

namespace hikyaku::imap {
namespace {

void good(std::string_view text, std::uint32_t largest, std::string_view meaning) {
  CAPTURE(text);
  auto set = SequenceSet::parse(text);
  REQUIRE(set.has_value());
  CHECK(set->resolve(largest).to_string() == meaning);
  // What we write can be read again and means the same.
  auto again = SequenceSet::parse(set->to_string());
  REQUIRE(again.has_value());
  CHECK(again->resolve(largest) == set->resolve(largest));
}

void bad(std::string_view text) {
  CAPTURE(text);
  CHECK_FALSE(SequenceSet::parse(text).has_value());
}

TEST_CASE("sequence sets mean what RFC 9051 says") {
  good("1", 9, "1");
  good("4294967295", 9, "4294967295");
  good("2,4:7,9,12:*", 15, "2,4:7,9,12:15");
  good("*:4,5:7", 10, "4:10");  // either order, overlaps coalesce
  good("7:3", 10, "3:7");       // backwards
  good("*", 10, "10");
  good("*:*", 10, "10");
  good("3291:*", 10, "10:3291");  // the last message is in it, though its number is lower
  good("*", 0, "");               // nothing is the largest of an empty mailbox
  good("5:*", 0, "5");
  good("*,5:*,9:*", 7, "5:7");
  good("1,2,3,4", 9, "1:4");
  good("5,1,3", 9, "1,3,5");
  good("1:4294967295", 9, "1:4294967295");
  good("$", 9, "");
  CHECK(SequenceSet::parse("$")->is_saved_result());
  CHECK(SequenceSet::parse("$")->to_string() == "$");

  bad("");
  bad("0");
  bad("01");
  bad("1:0");
  bad("4294967296");  // 2^32
  bad("99999999999999999999999");
  bad("1,");
  bad(",1");
  bad("1::2");
  bad("1:2:3");
  bad("$,1");
  bad("1,$");
  bad("-1");
  bad("1 ");
  bad("a");
  bad(":");
}

TEST_CASE("a set with too many ranges is refused") {
  CHECK(SequenceSet::parse("1,3,5", 3).has_value());
  auto refused = SequenceSet::parse("1,3,5,7", 3);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::TooLarge);
}

TEST_CASE("number sets stay sorted and merged whatever is added") {
  NumberSet set;
  for (std::uint32_t number : {5, 7, 6, 1, 3, 2, 9}) set.add(number);
  CHECK(set.to_string() == "1:3,5:7,9");
  CHECK(set.count() == 7);
  CHECK(set.contains(6));
  CHECK_FALSE(set.contains(4));
  CHECK_FALSE(set.contains(0));
  set.add(4, 8);
  CHECK(set.to_string() == "1:9");
  set.add(UINT32_MAX);
  set.add(UINT32_MAX - 1);
  CHECK(set.to_string() == "1:9,4294967294:4294967295");
  set.add(10, UINT32_MAX);
  CHECK(set.to_string() == "1:4294967295");
  CHECK(NumberSet().lowest() == 0);
  std::uint32_t doubled[]{3, 3, 4, 9, 9};
  CHECK(NumberSet::from_numbers(doubled).to_string() == "3:4,9");
  std::uint32_t backwards[]{9, 4, 3};
  CHECK(NumberSet::from_numbers(backwards).to_string() == "3:4,9");
}

NumberSet numbers(std::string_view text) {
  return SequenceSet::parse(text)->resolve(0);
}

TEST_CASE("intersection and difference") {
  CHECK(numbers("1:10,20:30").intersection(numbers("5:25,28,40")).to_string() == "5:10,20:25,28");
  CHECK(numbers("1:10").intersection(numbers("11:20")).empty());
  CHECK(numbers("1:10,20:30").without(numbers("5:25")).to_string() == "1:4,26:30");
  CHECK(numbers("1:10").without(numbers("1,3,5,10")).to_string() == "2,4,6:9");
  CHECK(numbers("1:10").without(numbers("1:10")).empty());
  CHECK(numbers("1:4294967295").without(numbers("4294967295")).to_string() == "1:4294967294");
  CHECK(numbers("1:3,7:9").without(numbers("2:8")).to_string() == "1,9");
  CHECK(numbers("5").without(NumberSet()).to_string() == "5");
}

TEST_CASE("differential: sets of small numbers against a bitmap") {
  std::uint32_t seed = 1;
  auto random = [&](std::uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<bool> a_bits(64), b_bits(64);
    NumberSet a, b;
    for (int i = 0; i < 6; ++i) {
      auto first = 1 + random(62), last = std::min(62U, first + random(9));
      (i % 2 ? a : b).add(first, last);
      for (auto n = first; n <= last; ++n) (i % 2 ? a_bits : b_bits)[n] = true;
    }
    auto both = a.intersection(b), left = a.without(b);
    for (std::uint32_t n = 1; n < 63; ++n) {
      REQUIRE(a.contains(n) == a_bits[n]);
      REQUIRE(both.contains(n) == (a_bits[n] && b_bits[n]));
      REQUIRE(left.contains(n) == (a_bits[n] && !b_bits[n]));
    }
  }
}

TEST_CASE("positions of known UIDs") {
  std::vector<std::uint32_t> uids{2, 5, 6, 9, 100, 101};
  auto at = [&](std::string_view set) { return positions(numbers(set), uids); };
  CHECK(at("1:4294967295") == std::vector<IndexRange>{{0, 6}});
  CHECK(at("5:9") == std::vector<IndexRange>{{1, 4}});
  CHECK(at("1,3,4").empty());
  CHECK(at("2,101") == std::vector<IndexRange>{{0, 1}, {5, 6}});
  CHECK(at("6,9") == std::vector<IndexRange>{{2, 4}});  // 7 and 8 do not exist: neighbours
  CHECK(positions(numbers("1"), {}).empty());
}

}  // namespace
}  // namespace hikyaku::imap
