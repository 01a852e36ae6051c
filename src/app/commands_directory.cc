// domain, account and alias: what the directory is changed and shown by.
#include <fmt/core.h>

#include "app/commands.h"
#include "auth/alias_faults.h"
#include "auth/credentials.h"
#include "auth/directory.h"
#include "base/async.h"
#include "mailbox/mailboxes.h"

namespace hikyaku::app {
namespace {

using boost::json::object;
using Answer = Result<object>;

/// Runs a step of the directory and answers with nothing but success.
template <class Function>
Task<Answer> change(Core& core, Function function) {
  CO_TRY_DO(co_await core.store().transact({store::kInstance},
                                           [&](store::Transaction& tx) -> Result<void> {
                                             auto done = function(tx);
                                             if (!done)
                                               return std::unexpected(std::move(done).error());
                                             return {};
                                           }));
  co_return object{};
}

std::unexpected<Error> no_account(std::string_view address) {
  return fail(ErrorCode::NotFound, "there is no account {}: hikyaku account list", address);
}

object describe(const auth::Account& account) {
  return {{"address", json_text(account.address)},
          {"name", json_text(account.name)},
          {"language", account.language == Language::Japanese ? "ja" : "en"},
          {"enabled", account.enabled},
          {"quota", account.quota},
          {"created", format_rfc3339(account.created)}};
}

// --- domains ---

Task<Answer> domain_add(Core& core, ControlCall& call) {
  CO_TRY(auto name, call.needed_text("domain"));
  auto now = core.clock().now();  // not within the step: it may run more than once
  co_return co_await change(
      core, [&](store::Transaction& tx) { return auth::add_domain(tx, name, now); });
}

Task<Answer> domain_remove(Core& core, ControlCall& call) {
  CO_TRY(auto name, call.needed_text("domain"));
  co_return co_await change(core,
                            [&](store::Transaction& tx) { return auth::remove_domain(tx, name); });
}

Task<Answer> domain_catch_all(Core& core, ControlCall& call) {
  CO_TRY(auto name, call.needed_text("domain"));
  CO_TRY(auto address, call.text("address"));
  co_return co_await change(
      core, [&](store::Transaction& tx) { return auth::set_catch_all(tx, name, address); });
}

Task<Answer> domain_list(Core& core, ControlCall& call) {
  struct Row {
    auth::Domain domain;
    std::size_t accounts = 0;
    std::size_t aliases = 0;
  };
  auto rows = co_await core.store().read([](store::Reader& reader) {
    std::vector<Row> found;
    for (auto& domain : auth::list_domains(reader)) {
      auto accounts = auth::list_accounts(reader, domain.name).size();
      auto aliases = auth::list_aliases(reader, domain.name).size();
      found.push_back({domain, accounts, aliases});
    }
    return found;
  });
  for (auto& row : rows) {
    co_await call.item({{"domain", json_text(row.domain.name)},
                        {"accounts", row.accounts},
                        {"aliases", row.aliases},
                        {"catch_all", json_text(row.domain.catch_all)}});
  }
  co_return object{};
}

// --- accounts ---

auth::CredentialUses uses_for(Core& core, bool legacy) {
  auto uses = core.credential_uses();
  uses.legacy |= legacy;
  return uses;
}

/// The password of the call as a credential; hashing is slow and happens before the transaction.
Task<Result<auth::Credential>> credential_for(Core& core, std::string address, std::string password,
                                              bool legacy) {
  auto normal = auth::normalize_address(address);
  if (!normal) co_return std::unexpected(normal.error());
  auto secret = crypto::Secret::take(std::move(password));
  CO_TRY_DO(auth::check_chosen(secret));
  co_return co_await run_on(core.workers(), [&]() -> Result<auth::Credential> {
    auth::CredentialMaker maker{core.master(), core.random(), *normal, core.clock().now()};
    auto made = auth::make_password(maker, secret, uses_for(core, legacy));
    crypto::wipe_stack();
    return made;
  });
}

Task<Answer> account_add(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto name, call.text("name"));
  CO_TRY(auto language, call.text("language"));
  CO_TRY(auto password, call.needed_text("password"));
  CO_TRY(auto legacy, call.flag("legacy_auth"));
  CO_TRY(auto add_domain, call.flag("add_domain"));
  CO_TRY(auto quota, call.number("quota", 0));
  CO_TRY(auto credential, co_await credential_for(core, address, std::move(password), legacy));
  auth::Account made;
  auto now = core.clock().now();
  auto speaks = language.empty() ? core.config().server.language : language_of(language);
  CO_TRY_DO(co_await core.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        TRY(made, auth::add_account(tx, address, name, speaks, add_domain, now));
        if (quota != 0) {
          made.quota = quota;
          TRY_DO(auth::update_account(tx, made));
        }
        auth::put_credential(tx, made.id, credential);
        return {};
      }));
  co_return describe(made);
}

/// As account_add, for mail that is there already.
Task<Answer> account_recover(Core& core, ControlCall& call) {
  CO_TRY(auto id, call.number("account", 0));
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto name, call.text("name"));
  CO_TRY(auto language, call.text("language"));
  CO_TRY(auto password, call.needed_text("password"));
  CO_TRY(auto legacy, call.flag("legacy_auth"));
  CO_TRY(auto quota, call.number("quota", 0));
  if (id > UINT32_MAX) co_return fail(ErrorCode::NotFound, "there is no mail of an account {}", id);
  CO_TRY(auto credential, co_await credential_for(core, address, std::move(password), legacy));
  object answer;
  auto now = core.clock().now();
  auto speaks = language.empty() ? core.config().server.language : language_of(language);
  CO_TRY_DO(co_await core.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        TRY(auto recovered, auth::recover_account(tx, static_cast<store::AccountId>(id), address,
                                                  name, speaks, now));
        auto& made = recovered.account;
        made.quota = quota;
        if (quota != 0) TRY_DO(auth::update_account(tx, made));
        auth::put_credential(tx, made.id, credential);
        answer = describe(made);
        auto& former = answer["former_addresses"].emplace_array();
        for (const auto& one : recovered.former) former.emplace_back(one);
        auto usage = mailbox::usage(tx, made.id);
        answer["messages"] = usage.messages;
        answer["bytes"] = usage.bytes;
        return {};
      }));
  co_return answer;
}

/// Mail that has lost its address.
Task<Answer> account_homeless(Core& core, ControlCall& call) {
  auto found = co_await core.store().read([](store::Reader& reader) {
    std::vector<std::pair<store::AccountId, mailbox::Usage>> all;
    for (auto id : auth::accounts_without_address(reader))
      all.emplace_back(id, mailbox::usage(reader, id));
    return all;
  });
  for (auto& [id, usage] : found)
    co_await call.item({{"account", id}, {"messages", usage.messages}, {"bytes", usage.bytes}});
  co_return object{};
}

Task<Answer> account_remove(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  auto now = core.clock().now();
  auto removed = co_await change(
      core, [&](store::Transaction& tx) { return auth::remove_account(tx, address, now); });
  if (!removed) co_return removed;
  // The mail goes behind, piece by piece; a crash in between is taken up at the next start.
  auto left = co_await core.store().read(
      [](store::Reader& reader) { return auth::removed_accounts(reader); });
  for (auto account : left) {
    for (bool done = false; !done;) {
      CO_TRY_DO(co_await core.store().transact({store::kInstance, account},
                                               [&](store::Transaction& tx) -> Result<void> {
                                                 done =
                                                     auth::erase_removed_account(tx, account, now);
                                                 return {};
                                               },
                                               {.may_use_reserve = true}));
    }
  }
  co_return object{};
}

Task<Answer> account_password(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto password, call.needed_text("password"));
  CO_TRY(auto legacy, call.flag("legacy_auth"));
  CO_TRY(auto no_legacy, call.flag("no_legacy_auth"));
  auto before = co_await core.store().read([&](store::Reader& reader) {
    auto account = auth::find_account(reader, address);
    return account ? auth::find_credential(reader, account->id, auth::kPassword) : std::nullopt;
  });
  // Who could use APOP can go on doing so until told otherwise.
  legacy |= before && before->wanted.legacy && !no_legacy;
  CO_TRY(auto credential, co_await credential_for(core, address, std::move(password), legacy));
  co_return co_await change(core, [&](store::Transaction& tx) -> Result<void> {
    auto account = auth::find_account(tx, address);
    if (!account) return no_account(address);
    auth::put_credential(tx, account->id, credential);
    return {};
  });
}

/// Changes what is given and leaves the rest.
Task<Answer> account_change(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto name, call.text("name"));
  CO_TRY(auto language, call.text("language"));
  CO_TRY(auto quota, call.number("quota", 0));
  CO_TRY(auto enabled, call.flag("enabled"));
  auth::Account changed;
  CO_TRY_DO(co_await core.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        auto account = auth::find_account(tx, address);
        if (!account) return no_account(address);
        if (call.args().contains("name")) account->name = name;
        if (call.args().contains("language"))
          account->language = language == "ja" ? Language::Japanese : Language::English;
        if (call.args().contains("quota")) account->quota = quota;
        if (call.args().contains("enabled")) account->enabled = enabled;
        changed = *account;
        return auth::update_account(tx, *account);
      }));
  co_return describe(changed);
}

Task<Answer> account_list(Core& core, ControlCall& call) {
  CO_TRY(auto domain, call.text("domain"));
  struct Row {
    auth::Account account;
    mailbox::Usage usage;
  };
  auto rows = co_await core.store().read([&](store::Reader& reader) {
    std::vector<Row> found;
    for (auto& account : auth::list_accounts(reader, domain))
      found.push_back({account, mailbox::usage(reader, account.id)});
    return found;
  });
  for (auto& row : rows) {
    auto item = describe(row.account);
    item["messages"] = row.usage.messages;
    item["bytes"] = row.usage.bytes;
    co_await call.item(std::move(item));
  }
  co_return object{};
}

Task<Answer> account_show(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  co_return co_await core.store().read([&](store::Reader& reader) -> Answer {
    auto account = auth::find_account(reader, address);
    if (!account) return no_account(address);
    auto shown = describe(*account);
    auto usage = mailbox::usage(reader, account->id);
    shown["messages"] = usage.messages;
    shown["bytes"] = usage.bytes;
    boost::json::array mailboxes;
    for (auto& mailbox : mailbox::list_mailboxes(reader, account->id)) {
      auto counters = mailbox::get_counters(reader, account->id, mailbox.id);
      mailboxes.push_back({{"path", json_text(mailbox.path)},
                           {"messages", counters.total},
                           {"unseen", counters.unseen},
                           {"bytes", counters.size}});
    }
    shown["mailboxes"] = std::move(mailboxes);
    boost::json::array credentials;
    for (auto& credential : auth::list_credentials(reader, account->id)) {
      auto ours = auth::belongs_to(core.master(), account->address, credential);
      auto ready = ours ? credential.ready() : auth::CredentialUses{};
      credentials.push_back(
          {{"name", json_text(credential.name)},
           {"app_password", credential.is_app_password},
           {"scram", ready.scram},
           {"legacy", ready.legacy},
           {"other_key", !ours},
           {"created", format_rfc3339(credential.created)},
           {"last_used",
            credential.last_used == Time{} ? "" : format_rfc3339(credential.last_used)}});
    }
    shown["credentials"] = std::move(credentials);
    return shown;
  });
}

Task<Answer> app_password_add(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto name, call.needed_text("name"));
  CO_TRY(auto legacy, call.flag("legacy_auth"));
  auto account = co_await core.store().read(
      [&](store::Reader& reader) { return auth::find_account(reader, address); });
  if (!account) co_return no_account(address);
  auth::CredentialMaker maker{core.master(), core.random(), account->address, core.clock().now()};
  auto made = co_await run_on(core.workers(), [&] {
    auto both = auth::make_app_password(maker, name, uses_for(core, legacy));
    crypto::wipe_stack();
    return both;
  });
  if (!made) co_return std::unexpected(made.error());
  CO_TRY_DO(co_await core.store().transact(
      {store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
        if (auth::find_credential(tx, account->id, name))
          return fail(ErrorCode::Exists, "there is an app password \"{}\" already", name);
        auth::put_credential(tx, account->id, made->stored);
        return {};
      }));
  co_return object{{"password", json_text(made->password.reveal())}};
}

Task<Answer> app_password_remove(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto name, call.needed_text("name"));
  co_return co_await change(core, [&](store::Transaction& tx) -> Result<void> {
    auto account = auth::find_account(tx, address);
    if (!account) return no_account(address);
    if (name == auth::kPassword)
      return fail(ErrorCode::Invalid,
                  "that is the account's own password: change it with account password");
    return auth::remove_credential(tx, account->id, name);
  });
}

// --- aliases ---

Result<std::vector<std::string>> targets_of(const ControlCall& call) {
  std::vector<std::string> targets;
  auto value = call.args().if_contains("targets");
  if (!value) return targets;
  if (!value->is_array()) return fail(ErrorCode::Invalid, "targets must be a list of addresses");
  for (auto& target : value->get_array()) {
    if (!target.is_string()) return fail(ErrorCode::Invalid, "targets must be a list of addresses");
    targets.emplace_back(target.get_string());
  }
  return targets;
}

Task<Answer> alias_add(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto targets, targets_of(call));
  CO_TRY_DO(co_await change(
      core, [&](store::Transaction& tx) { return auth::add_alias(tx, address, targets); }));
  co_return co_await core.store().read([&](store::Reader& reader) -> Answer {
    boost::json::array all, nobody, dead;
    auto& delimiters = core.config().delivery.recipient_delimiters;
    auto alias = auth::find_alias(reader, address);
    auto circle = auth::find_circle(reader, address, delimiters);
    for (auto& target : alias ? alias->targets : std::vector<std::string>()) {
      all.push_back(json_text(target));
      if (auth::resolve(reader, target, delimiters).kind != auth::Resolution::Kind::Unknown)
        continue;
      // It may be made later; a typing mistake is more likely.
      if (!auth::find_alias(reader, target))
        nobody.push_back(json_text(target));
      else if (!circle)
        dead.push_back(json_text(target));
    }
    object answer{
        {"targets", std::move(all)}, {"nobody", std::move(nobody)}, {"dead", std::move(dead)}};
    if (circle) {
      answer["circle"] = json_text(circle->way);
      answer["by"] = json_text(circle->target);
      answer["delivered"] = circle->delivered;
    }
    return answer;
  });
}

Task<Answer> alias_remove(Core& core, ControlCall& call) {
  CO_TRY(auto address, call.needed_text("address"));
  CO_TRY(auto targets, targets_of(call));
  co_return co_await change(
      core, [&](store::Transaction& tx) { return auth::remove_alias(tx, address, targets); });
}

Task<Answer> alias_list(Core& core, ControlCall& call) {
  CO_TRY(auto domain, call.text("domain"));
  auto aliases = co_await core.store().read(
      [&](store::Reader& reader) { return auth::list_aliases(reader, domain); });
  for (auto& alias : aliases) {
    boost::json::array targets;
    for (auto& target : alias.targets) targets.push_back(json_text(target));
    co_await call.item({{"address", json_text(alias.address)}, {"targets", std::move(targets)}});
  }
  co_return object{};
}

}  // namespace

void add_directory_commands(ControlTable& table, Core& core) {
  using Function = Task<Answer> (*)(Core&, ControlCall&);
  auto add = [&](std::string verb, Function function) {
    table.add({.verb = std::move(verb),
               .run = [&core, function](ControlCall& call) { return function(core, call); }});
  };
  add("domain.add", domain_add);
  add("domain.remove", domain_remove);
  add("domain.catch-all", domain_catch_all);
  add("domain.list", domain_list);
  add("account.add", account_add);
  add("account.recover", account_recover);
  add("account.homeless", account_homeless);
  add("account.remove", account_remove);
  add("account.password", account_password);
  add("account.change", account_change);
  add("account.list", account_list);
  add("account.show", account_show);
  add("account.app-password", app_password_add);
  add("account.app-password-remove", app_password_remove);
  add("alias.add", alias_add);
  add("alias.remove", alias_remove);
  add("alias.list", alias_list);
}

}  // namespace hikyaku::app
