#include "auth/remembered_logins.h"

#include <doctest/doctest.h>

namespace hikyaku::auth {
namespace {

constexpr Time kNow{std::chrono::seconds(1'700'000'000)};
constexpr std::chrono::minutes kMinute{1};

struct Fixture {
  crypto::SeededRandom random{7};
  RememberedLogins logins{{.lifetime = 10 * kMinute, .entries = 3}, random};
  crypto::Secret right{"right"};

  bool knows(AccountId account, std::string_view stored, std::string_view password,
             Time now = kNow) {
    return logins.knows(account, stored, crypto::Secret(password), now);
  }
};

TEST_CASE("a password is known for its account, its stored hash and its time only") {
  Fixture f;
  CHECK(!f.knows(1, "hash", "right"));
  f.logins.remember(1, "hash", f.right, kNow);
  CHECK(f.knows(1, "hash", "right"));
  CHECK(!f.knows(1, "hash", "wrong"));
  CHECK(f.knows(1, "hash", "right"));  // a wrong one takes nothing away
  CHECK(!f.knows(1, "hash", ""));
  CHECK(!f.knows(2, "hash", "right"));
  CHECK(f.knows(1, "hash", "right", kNow + 10 * kMinute - milliseconds(1)));
  CHECK(!f.knows(1, "hash", "right", kNow + 10 * kMinute));
  CHECK(f.logins.size() == 0);
}

TEST_CASE("parts are not confused with each other") {
  Fixture f;
  f.logins.remember(1, "ab", crypto::Secret("c"), kNow);
  CHECK(!f.knows(1, "a", "bc"));
}

TEST_CASE("a changed password wipes what was known of the old one") {
  Fixture f;
  f.logins.remember(1, "hash", f.right, kNow);
  CHECK(!f.knows(1, "another hash", "right"));
  CHECK(f.logins.size() == 0);
  CHECK(!f.knows(1, "hash", "right"));  // nor does the old one come back
}

TEST_CASE("the number is bounded, the oldest go first") {
  Fixture f;
  for (AccountId account = 1; account <= 4; ++account)
    f.logins.remember(account, "hash", f.right, kNow);
  CHECK(f.logins.size() == 3);
  CHECK(!f.knows(1, "hash", "right"));
  CHECK(f.knows(2, "hash", "right"));
  f.logins.remember(2, "hash", f.right, kNow + kMinute);  // young again
  f.logins.remember(5, "hash", f.right, kNow + kMinute);
  CHECK(f.knows(2, "hash", "right", kNow + kMinute));
  CHECK(!f.knows(3, "hash", "right"));
}

TEST_CASE(
    "switched off, nothing is kept; shortened, nothing is kept for longer; a clock set back") {
  Fixture f;
  f.logins.remember(1, "hash", f.right, kNow);
  CHECK(!f.knows(1, "hash", "right", kNow - kMinute));
  f.logins.remember(1, "hash", f.right, kNow);
  f.logins.set_lifetime(kMinute);
  CHECK(!f.knows(1, "hash", "right", kNow + 2 * kMinute));
  f.logins.set_lifetime(milliseconds(0));
  f.logins.remember(1, "hash", f.right, kNow);
  CHECK(f.logins.size() == 0);
}

TEST_CASE("each process has a key of its own") {
  Fixture f;
  f.logins.remember(1, "hash", f.right, kNow);
  RememberedLogins other({}, f.random);
  CHECK(!other.knows(1, "hash", f.right, kNow));
}

}  // namespace
}  // namespace hikyaku::auth
