// check.credentials: which passwords cannot be used with what is switched on. check.aliases: which
// aliases lead to nobody, or in circles.
#include "app/commands.h"
#include "auth/alias_faults.h"
#include "auth/credentials.h"
#include "auth/directory.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

Task<Answer> check_credentials(Core& core, ControlCall& call) {
  auto wanted = core.credential_uses();
  auto accounts =
      co_await core.store().read([](store::Reader& reader) { return auth::list_accounts(reader); });
  std::uint64_t checked = 0;
  std::uint64_t sealed = 0;
  for (auto& account : accounts) {
    auto credentials = co_await core.store().read(
        [&](store::Reader& reader) { return auth::list_credentials(reader, account.id); });
    for (auto& credential : credentials) {
      auto ready = credential.ready();
      auto needs = wanted;
      needs.legacy |= credential.wanted.legacy;
      needs.scram |= credential.wanted.scram;
      ++checked;
      if (!auth::belongs_to(core.master(), account.address, credential)) {
        co_await call.item({{"address", json_text(account.address)},
                            {"credential", json_text(credential.name)},
                            {"app_password", credential.is_app_password},
                            {"other_key", true}});
        continue;
      }
      sealed += ready.legacy;
      if (ready.covers(needs)) continue;
      co_await call.item({{"address", json_text(account.address)},
                          {"credential", json_text(credential.name)},
                          {"scram", needs.scram && !ready.scram},
                          {"legacy", needs.legacy && !ready.legacy}});
    }
  }
  co_return object{{"checked", checked}, {"readable", sealed}};
}

Task<Answer> check_aliases(Core& core, ControlCall& call) {
  auto faults =
      co_await auth::find_alias_faults(core.store(), core.config().delivery.recipient_delimiters);
  for (auto& fault : faults) {
    constexpr std::string_view kWhat[] = {"nobody", "catch-all", "circle"};
    co_await call.item({{"what", kWhat[static_cast<std::size_t>(fault.what)]},
                        {"address", json_text(fault.address)},
                        {"target", json_text(fault.target)},
                        {"way", json_text(fault.way)},
                        {"delivered", fault.delivered}});
  }
  co_return object{};
}

}  // namespace

void add_check_commands(ControlTable& table, Core& core) {
  table.add({.verb = "check.credentials",
             .run = [&core](ControlCall& call) { return check_credentials(core, call); }});
  table.add({.verb = "check.aliases",
             .run = [&core](ControlCall& call) { return check_aliases(core, call); }});
}

}  // namespace hikyaku::app
