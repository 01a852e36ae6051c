#include "auth/throttle.h"

#include <doctest/doctest.h>

namespace hikyaku::auth {
namespace {

constexpr Time kNow{std::chrono::hours(24 * 365 * 55)};

TEST_CASE("failures are counted per client and account, and forgiven by success or time") {
  Throttle throttle({.max_failures = 3,
                     .max_network_failures = 10,
                     .window = std::chrono::minutes(15),
                     .entries = 100});
  auto here = *IpAddress::parse("192.0.2.1");
  auto there = *IpAddress::parse("192.0.2.2");
  for (int i = 0; i < 3; ++i) {
    CHECK(!throttle.refuses(here, "anna", kNow));
    throttle.failed(here, "anna", kNow);
  }
  CHECK(throttle.refuses(here, "anna", kNow));
  CHECK(!throttle.refuses(here, "bob", kNow));
  CHECK(!throttle.refuses(there, "anna", kNow));  // nobody is locked out by strangers
  CHECK(!throttle.refuses(here, "anna", kNow + std::chrono::minutes(15)));
  // A clock that was set back locks nobody out for as long as it was ahead.
  auto back = *IpAddress::parse("192.0.2.9");
  for (int i = 0; i < 3; ++i) throttle.failed(back, "anna", kNow + std::chrono::hours(1000));
  CHECK(throttle.refuses(back, "anna", kNow + std::chrono::hours(1000)));
  CHECK(!throttle.refuses(back, "anna", kNow));
  for (int i = 0; i < 1000; ++i) throttle.failed(here, "x" + std::to_string(i), kNow);
  CHECK(throttle.refuses(here, "bob", kNow));
  // A device that repeats one wrong password does not lock out the others of its network.
  auto home = *IpAddress::parse("192.0.2.3");
  for (int i = 0; i < 100; ++i) throttle.failed(home, "anna", kNow, "the old one");
  CHECK(!throttle.refuses(home, "anna", kNow));
  throttle.failed(home, "anna", kNow, "another");
  CHECK(!throttle.refuses(home, "anna", kNow));
  throttle.failed(home, "anna", kNow, "a third");
  CHECK(throttle.refuses(home, "anna", kNow));
  auto v6 = *IpAddress::parse("2001:db8::1");
  for (int i = 0; i < 3; ++i) throttle.failed(v6, "anna", kNow);
  CHECK(throttle.refuses(*IpAddress::parse("2001:db8::ffff"), "anna", kNow));  // the same /64
  throttle.succeeded(v6, "anna", kNow);
  CHECK(!throttle.refuses(v6, "anna", kNow));
}

TEST_CASE("what strangers do wrong behind the same address keeps out nobody who is known there") {
  Throttle throttle({.max_failures = 3, .max_network_failures = 10});
  auto proxy = *IpAddress::parse("127.0.0.1");
  throttle.succeeded(proxy, "anna", kNow);
  for (int i = 0; i < 20; ++i) throttle.failed(proxy, "x" + std::to_string(i), kNow);
  CHECK(!throttle.refuses(proxy, "anna", kNow));
  CHECK(throttle.refuses(proxy, "bob", kNow));
  // Whoever guesses Anna's password there is refused all the same.
  for (int i = 0; i < 3; ++i) throttle.failed(proxy, "anna", kNow);
  CHECK(throttle.refuses(proxy, "anna", kNow));
  // A success counts for a month.
  auto later = kNow + std::chrono::days(31);
  for (int i = 0; i < 20; ++i) throttle.failed(proxy, "x" + std::to_string(i), later);
  CHECK(throttle.refuses(proxy, "anna", later));
}

TEST_CASE("who is refused can be listed, and let in again by account, by address, or all") {
  Throttle throttle({.max_failures = 2, .max_network_failures = 6});
  auto office = *IpAddress::parse("2001:db8::7");
  auto home = *IpAddress::parse("192.0.2.1");
  auto away = *IpAddress::parse("192.0.2.2");
  auto fail_all = [&] {
    for (auto& [client, account] :
         {std::pair(office, "anna"), std::pair(home, "anna"), std::pair(away, "bob")})
      for (int i = 0; i < 2; ++i) throttle.failed(client, account, kNow);
  };
  auto listed = [&](Time now = kNow) {
    std::string result;
    for (auto& row : throttle.refused(now))
      result += row.network + "|" + row.account + "|" + std::to_string(row.failures) + "\n";
    return result;
  };
  CHECK(listed().empty());
  throttle.failed(home, "carl", kNow);  // not refused yet
  fail_all();
  CHECK(listed() == "2001:db8::/64|anna|2\n192.0.2.1|anna|2\n192.0.2.2|bob|2\n");
  CHECK(throttle.refused(kNow).front().until == kNow + std::chrono::minutes(15));
  CHECK(listed(kNow + std::chrono::minutes(15)).empty());

  CHECK(throttle.lift("anna", kNow) == 2);
  CHECK(listed() == "192.0.2.2|bob|2\n");
  CHECK(!throttle.refuses(home, "anna", kNow));
  CHECK(throttle.lift("192.0.2.2", kNow) == 1);
  CHECK(throttle.lift("192.0.2.2", kNow) == 0);
  fail_all();
  CHECK(throttle.lift("2001:db8::ffff", kNow) == 1);
  CHECK(throttle.lift("2001:db8::/64", kNow) == 0);
  // A network as a whole: carl once, anna twice each time, and one more.
  CHECK(!throttle.refuses(home, "nobody yet", kNow));
  throttle.failed(home, "dora", kNow);
  CHECK(throttle.refuses(home, "nobody yet", kNow));
  CHECK(listed() == "192.0.2.1||6\n192.0.2.1|anna|2\n192.0.2.2|bob|2\n");
  CHECK(throttle.lift("all", kNow) == 3);
  CHECK(listed().empty());
  CHECK(!throttle.refuses(home, "nobody yet", kNow));
}

TEST_CASE("room is limited: the oldest are forgotten first") {
  AgedMap<int, int> map(3);
  for (int i = 1; i <= 3; ++i) map.get(i) = i;
  map.renew(1) = 10;
  map.get(4) = 4;
  CHECK(map.find(2) == nullptr);
  CHECK(*map.find(1) == 10);
  CHECK(map.size() == 3);
  CHECK(map.erase_if([](auto& item) { return item.value > 3; }) == 2);
  CHECK(map.size() == 1);
  CHECK(map.begin()->key == 3);
  CHECK(map.find(4) == nullptr);
}

}  // namespace
}  // namespace hikyaku::auth
