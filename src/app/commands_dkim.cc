// dkim.add, list, activate, retire, remove: the rows of the signing keys. Their files are made and
// erased by the command line, which has the rights for it.
#include <fmt/core.h>

#include "app/commands.h"
#include "app/dkim_keys.h"
#include "app/key_watch.h"
#include "auth/directory.h"
#include "auth/signing_keys.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

constexpr Phrase kNotOurs{"{0} is not a domain of this server: hikyaku domain add {0}",
                          "{0} はこのサーバーのドメインではありません: hikyaku domain add {0}"};

constexpr Phrase kNoKey{"{0} has no key {1}: hikyaku domain dkim {0}",
                        "{0} に鍵 {1} はありません: hikyaku domain dkim {0}"};
constexpr Phrase kTooEarly{
    "{} has not been in the DNS for long enough: what it signed could not be checked (--now makes "
    "it sign all the same)",
    "{} が DNS に公開されてから十分な時間が経っていないため、署名しても検証できません(それでも署名"
    "させるには --now)"};

object describe(const auth::SigningKey& key) {
  object shown{{"domain", key.domain},
               {"selector", key.selector},
               {"algorithm", to_string(key.algorithm)},
               {"state", to_string(key.state)},
               {"name", key.record_name()},
               {"record", json_text(key.record)}};
  auto add = [&](std::string_view name, Time time) {
    shown[name] = time == Time{} ? "" : format_rfc3339(time);
  };
  add("created", key.created);
  add("seen", key.seen);
  add("signs_from", key.signs_from);
  add("activated", key.activated);
  add("retired", key.retired);
  add("record_until", key.record_until);
  add("gone", key.gone);
  return shown;
}

Result<std::vector<auth::SigningKey>> keys_of(ControlCall& call, const std::string& domain,
                                              Time now) {
  TRY(auto active, call.flag("active"));
  std::vector<auth::SigningKey> keys;
  auto rows = call.args().if_contains("keys");
  if (!rows || !rows->is_array()) return fail(ErrorCode::Invalid, "keys must be a list");
  for (auto& row : rows->get_array()) {
    auto text = [&](std::string_view name) -> std::string {
      auto value = row.is_object() ? row.get_object().if_contains(name) : nullptr;
      return value && value->is_string() ? std::string(value->get_string()) : std::string();
    };
    auth::SigningKey key;
    key.domain = domain;
    key.selector = text("selector");
    key.algorithm = text("algorithm") == "ed25519" ? auth::SigningAlgorithm::Ed25519
                                                   : auth::SigningAlgorithm::Rsa;
    key.state = active ? auth::SigningState::Active : auth::SigningState::Published;
    key.record = text("record");
    key.created = now;
    keys.push_back(std::move(key));
  }
  return keys;
}

/// With add_domain the domain itself is new.
Task<Answer> add(Core& core, ControlCall& call) {
  CO_TRY(auto domain, call.needed_text("domain"));
  CO_TRY(auto add_domain, call.flag("add_domain"));
  auto now = core.clock().now();
  CO_TRY(auto keys, keys_of(call, domain, now));
  CO_TRY_DO(co_await core.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        if (add_domain) TRY_DO(auth::add_domain(tx, domain, now));
        return auth::add_signing_keys(tx, keys, record_kept(core.config()));
      }));
  co_return object{};
}

/// What is known of a record that has not been seen.
void add_look(object& shown, const auth::SigningKey& key, const KeyLooks& looks) {
  auto look = looks.find(key);
  if (!look || key.seen != Time{}) return;
  shown["looked"] = format_rfc3339(look->when);
  shown["next_look"] = format_rfc3339(look->next);
  shown["problem"] = json_text(look->problem);
}

Task<Answer> list(Core& core, const KeyLooks* looks, ControlCall& call) {
  CO_TRY(auto domain, call.text("domain"));
  struct Found {
    bool ours = false;
    std::vector<auth::SigningKey> keys;
  };
  auto found = co_await core.store().read([&](store::Reader& reader) {
    return Found{domain.empty() || auth::find_domain(reader, domain),
                 auth::list_signing_keys(reader, domain)};
  });
  if (!found.ours)
    co_return fail(ErrorCode::NotFound, "{}", say(call.request().language, kNotOurs, domain));
  for (auto& key : found.keys) {
    auto shown = describe(key);
    if (looks) add_look(shown, key, *looks);
    co_await call.item(std::move(shown));
  }
  co_return object{};
}

/// Runs a step on one key, and answers with what it is then.
template <class Function>
Task<Answer> change(Core& core, ControlCall& call, Function function) {
  CO_TRY(auto domain, call.needed_text("domain"));
  CO_TRY(auto selector, call.needed_text("selector"));
  std::optional<auth::SigningKey> after;
  CO_TRY_DO(co_await core.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        if (!auth::find_signing_key(tx, domain, selector))
          return fail(ErrorCode::NotFound, "{}",
                      say(call.request().language, kNoKey, domain, printable(selector, 80)));
        TRY_DO(function(tx, domain, selector));
        after = auth::find_signing_key(tx, domain, selector);
        return {};
      }));
  co_return describe(*after);
}

Task<Answer> activate(Core& core, ControlCall& call) {
  auto now = core.clock().now();
  CO_TRY(auto force, call.flag("now"));
  co_return co_await change(
      core, call,
      [&](store::Transaction& tx, const std::string& domain,
          const std::string& selector) -> Result<void> {
        auto key = auth::find_signing_key(tx, domain, selector);
        if (key && key->state == auth::SigningState::Published && !force &&
            (key->seen == Time{} || now < key->signs_from))
          return fail(ErrorCode::Conflict, "{}",
                      say(call.request().language, kTooEarly, key->record_name()));
        return auth::activate_signing_key(tx, domain, selector, now, record_kept(core.config()));
      });
}

/// "signs": whether another key still does.
Task<Answer> retire(Core& core, ControlCall& call) {
  auto now = core.clock().now();
  bool signs = false;
  CO_TRY(auto after, co_await change(core, call,
                                     [&](store::Transaction& tx, const std::string& domain,
                                         const std::string& selector) -> Result<void> {
                                       TRY_DO(auth::retire_signing_key(tx, domain, selector, now,
                                                                       record_kept(core.config())));
                                       signs = !auth::signing_domain(tx, domain).keys.empty();
                                       return {};
                                     }));
  after["signs"] = signs;
  co_return after;
}

Task<Answer> remove(Core& core, ControlCall& call) {
  auto now = core.clock().now();
  CO_TRY(auto force, call.flag("now"));
  co_return co_await change(
      core, call,
      [&](store::Transaction& tx, const std::string& domain, const std::string& selector) {
        return auth::remove_signing_key(tx, domain, selector, now,
                                        force ? auth::Remove::Now : auth::Remove::WhenDue);
      });
}

}  // namespace

void add_dkim_commands(ControlTable& table, Core& core, const KeyLooks* looks) {
  using Function = Task<Answer> (*)(Core&, ControlCall&);
  auto put = [&](std::string verb, Function function) {
    table.add({.verb = std::move(verb),
               .run = [&core, function](ControlCall& call) { return function(core, call); }});
  };
  put("dkim.add", add);
  table.add({.verb = "dkim.list",
             .run = [&core, looks](ControlCall& call) { return list(core, looks, call); }});
  put("dkim.activate", activate);
  put("dkim.retire", retire);
  put("dkim.remove", remove);
}

}  // namespace hikyaku::app
