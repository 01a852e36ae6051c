// throttle.list, throttle.lift: who may not log in for a while, and letting them in again.
#include "app/commands.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

Task<Answer> list(auth::Authenticator& authenticator, ControlCall& call) {
  auto rows = authenticator.throttled();
  for (auto& row : rows)
    co_await call.item(object{{"network", row.network},
                              {"account", json_text(row.account)},
                              {"failures", row.failures},
                              {"until", format_rfc3339(row.until)}});
  co_return object{{"count", rows.size()}};
}

Task<Answer> lift(auth::Authenticator& authenticator, Core& core, ControlCall& call) {
  CO_TRY(auto select, call.needed_text("select"));
  auto count = authenticator.lift_throttle(to_lower(select));
  if (count == 0)
    co_return fail(ErrorCode::NotFound, "nobody is kept out as {}; who is: hikyaku throttle list",
                   printable(select, 100));
  core.log().info("login.throttle.lifted", {{"what", select}, {"count", count}});
  co_return object{{"count", count}};
}

}  // namespace

void add_throttle_commands(ControlTable& table, Core& core, auth::Authenticator& authenticator) {
  table.add({.verb = "throttle.list",
             .run = [&](ControlCall& call) { return list(authenticator, call); }});
  table.add({.verb = "throttle.lift",
             .run = [&](ControlCall& call) { return lift(authenticator, core, call); }});
}

}  // namespace hikyaku::app
