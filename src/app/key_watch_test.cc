#include "app/key_watch.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

auth::SigningKey key(std::string selector, Time created) {
  auth::SigningKey key;
  key.domain = "alpha.test";
  key.selector = std::move(selector);
  key.created = created;
  return key;
}

TEST_CASE("a look is of one key, not of another that was called so, and goes with it") {
  Time now{seconds(1000)};
  KeyLooks looks;
  for (auto& one : {key("a", now), key("b", now)})
    looks.note(one.record_name(), {now, now + seconds(60), "servfail"});
  CHECK(looks.find(key("a", now))->problem == "servfail");
  CHECK_FALSE(looks.find(key("a", now + seconds(1))));
  looks.keep_only({"b._domainkey.alpha.test", "c._domainkey.alpha.test"});
  CHECK_FALSE(looks.find(key("a", now)));
  CHECK(looks.find(key("b", now)));
  looks.forget("b._domainkey.alpha.test");
  CHECK_FALSE(looks.find(key("b", now)));
}

}  // namespace
}  // namespace hikyaku::app
