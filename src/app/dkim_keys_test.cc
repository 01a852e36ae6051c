#include "app/dkim_keys.h"

#include <doctest/doctest.h>

namespace hikyaku::app {
namespace {

TEST_CASE("a retired key's record stays while mail is on its way, and while signatures are valid") {
  using std::chrono::days;
  struct Row {
    int lifetime, expiry, kept;  // days
  };
  for (auto& [lifetime, expiry, kept] : std::initializer_list<Row>{
           {5, 0, 12},   // signatures do not expire: until the mail has arrived
           {5, 10, 12},  // it may arrive after they have expired, and is looked at all the same
           {5, 30, 30},
           {40, 45, 47},
       }) {
    CAPTURE(expiry);
    config::Config config;
    config.queue.lifetime = days(lifetime);
    config.dkim.expiry = days(expiry);
    CHECK(record_kept(config) == days(kept));
  }
}

}  // namespace
}  // namespace hikyaku::app
