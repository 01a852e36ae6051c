#include "auth/directory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "auth/alias_pages.h"
#include "auth/directory_rows.h"
#include "auth/tables.h"
#include "base/codec.h"
#include "base/text.h"
#include "mailbox/check.h"
#include "mailbox/mailboxes.h"
#include "mailbox/numbers.h"
#include "smtp/path.h"

namespace hikyaku::auth {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

/// Every change of the directory ends here.
void changed(Transaction& tx) {
  note_directory_change(tx);
}

void write_domain(Transaction& tx, const DomainRow& row) {
  tx.put(domain_key(row.domain.name), encode(row));
  changed(tx);
}

void write_account(Transaction& tx, const Account& account) {
  tx.put(account_key(account.id), encode(account));
  changed(tx);
}

void write_address(Transaction& tx, std::string_view address, const AddressRow& row) {
  tx.put(address_key(address), encode(row));
  changed(tx);
}

void scan_addresses(
    Reader& reader, std::string_view domain,
    const std::function<bool(const std::string& address, const AddressRow&)>& visit) {
  auto range = domain.empty() ? Key(kInstance, kTableAddress).children()
                              : Key(kInstance, kTableAddress).text(domain).children();
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    return visit(address_of(key), decode_address(value));
  });
}

}  // namespace

std::optional<DomainRow> read_domain(Reader& reader, std::string_view name) {
  auto value = reader.get(domain_key(name));
  if (!value) return std::nullopt;
  return decode_domain(name, *value);
}

std::optional<std::string> read_address_value(Reader& reader, std::string_view address) {
  return reader.get(address_key(address));
}

std::optional<AddressRow> read_address(Reader& reader, std::string_view address) {
  auto value = read_address_value(reader, address);
  if (!value) return std::nullopt;
  return decode_address(*value);
}

Result<std::string> normalize_address(std::string_view address) {
  TRY(auto mailbox,
      smtp::parse_mailbox(address, {.characters = smtp::Characters::Utf8, .limits = {}}));
  if (mailbox.domain.starts_with('['))
    return fail(ErrorCode::Invalid, "an account cannot have an address literal as its domain");
  return mailbox.canonical();
}

Result<Domain> add_domain(Transaction& tx, std::string_view name, Time now) {
  TRY(auto normal, smtp::parse_domain(name, smtp::Characters::Utf8));
  if (normal.starts_with('['))
    return fail(ErrorCode::Invalid, "{} is an address, not a domain", name);
  if (read_domain(tx, normal))
    return fail(ErrorCode::Exists, "the domain {} is here already", normal);
  DomainRow row;
  row.domain.name = normal;
  row.domain.created = now;
  write_domain(tx, row);
  return row.domain;
}

Result<void> remove_domain(Transaction& tx, std::string_view name) {
  TRY(auto normal, smtp::parse_domain(name, smtp::Characters::Utf8));
  if (!read_domain(tx, normal))
    return fail(ErrorCode::NotFound, "there is no domain {} here", normal);
  std::string in_use;
  scan_addresses(tx, normal, [&](const std::string& address, const AddressRow&) {
    in_use = address;
    return false;
  });
  if (!in_use.empty())
    return fail(ErrorCode::Conflict,
                "{} is still in use (by {}): remove its accounts and aliases first", normal,
                in_use);
  tx.erase(domain_key(normal));
  tx.erase_range(Key(kInstance, kTableSigningKey).text(normal).children());
  changed(tx);
  return {};
}

Result<void> set_catch_all(Transaction& tx, std::string_view domain, std::string_view address) {
  TRY(auto normal, smtp::parse_domain(domain, smtp::Characters::Utf8));
  auto row = read_domain(tx, normal);
  if (!row) return fail(ErrorCode::NotFound, "there is no domain {} here", normal);
  row->domain.catch_all.clear();
  if (!address.empty()) {
    TRY(row->domain.catch_all, normalize_address(address));
  }
  write_domain(tx, *row);
  return {};
}

AccountId first_account(Reader& reader) {
  AccountId first = 0;
  reader.scan(Key(kInstance, kTableAccount).children(),
              [&](std::string_view key, std::string_view) {
                first = store::key_fields(key).u32_be();
                return false;
              });
  return first;
}

std::string first_domain_name(Reader& reader) {
  std::string first;
  reader.scan(Key(kInstance, kTableDomain).children(), [&](std::string_view key, std::string_view) {
    first = key.substr(5);
    return false;
  });
  return first;
}

std::vector<Domain> list_domains(Reader& reader) {
  std::vector<Domain> domains;
  reader.scan(Key(kInstance, kTableDomain).children(),
              [&](std::string_view key, std::string_view value) {
                domains.push_back(decode_domain(key.substr(5), value).domain);
                return true;
              });
  return domains;
}

std::optional<Domain> first_domain(Reader& reader) {
  auto domains = list_domains(reader);
  auto first = std::ranges::min_element(domains, {}, &Domain::created);
  if (first == domains.end()) return std::nullopt;
  return std::move(*first);
}

std::optional<Domain> find_domain(Reader& reader, std::string_view name) {
  auto row = read_domain(reader, to_lower(name));
  if (!row) return std::nullopt;
  return row->domain;
}

namespace {

/// An account is known by two rows, which lead to each other.
bool has_address(Reader& reader, AccountId id) {
  auto account = get_account(reader, id);
  if (!account) return false;
  auto row = read_address(reader, account->address);
  return row && row->kind == AddressKind::Account && row->account == id;
}

bool has_rows(Reader& reader, const store::KeyRange& range) {
  bool any = false;
  reader.scan(range, [&](std::string_view, std::string_view) { return !(any = true); });
  return any;
}

bool has_mail(Reader& reader, AccountId id) {
  return has_rows(reader, {Key(id, 0).bytes(), store::prefix_end(Key(id, 0).bytes().substr(0, 4))});
}

bool is_removed(Reader& reader, AccountId id) {
  return reader.get(removed_key(id)).has_value();
}

/// Who has an account's number has its mail and its passwords. The counter alone would do, as long
/// as its row is as it was written.
Result<AccountId> next_account(Reader& reader, const DirectoryState& state) {
  for (auto id = std::max<AccountId>(state.next_account, 1); id < UINT32_MAX; ++id) {
    if (!has_mail(reader, id) && !reader.get(account_key(id)) && !is_removed(reader, id) &&
        !has_rows(reader, credential_rows(id)))
      return id;
  }
  return fail(ErrorCode::TooLarge, "all numbers of accounts are used up");
}

bool leads_to(const AddressRow& row, AccountId id) {
  return row.kind == AddressKind::Account && row.account == id;
}

/// `address` as an account may get it: nobody has it, or `itself`. Exists, NotFound, Invalid.
Result<std::string> free_address(Transaction& tx, std::string_view address, AccountId itself = 0) {
  TRY(auto normal, normalize_address(address));
  auto row = read_address(tx, normal);
  if (row && (itself == 0 || !leads_to(*row, itself))) {
    return fail(ErrorCode::Exists, "{} is {} already", normal,
                row->kind == AddressKind::Account ? "an account" : "an alias");
  }
  return normal;
}

Result<void> need_domain(Transaction& tx, std::string_view domain) {
  if (read_domain(tx, domain)) return {};
  return fail(ErrorCode::NotFound, "{} is not a domain of this server: hikyaku domain add {}",
              domain, domain);
}

/// The domain's postmaster is another of its accounts, if `id` was it.
void leave_domain(Transaction& tx, std::string_view name, AccountId id) {
  auto domain = read_domain(tx, name);
  if (!domain || domain->first_account != id) return;
  domain->first_account = 0;
  scan_addresses(tx, domain->domain.name, [&](const std::string&, const AddressRow& other) {
    if (other.kind != AddressKind::Account) return true;
    auto& first = domain->first_account;
    first = first == 0 ? other.account : std::min(first, other.account);
    return true;
  });
  write_domain(tx, *domain);
}

/// Damage may have left an address of an account whose own row is lost: who writes there would
/// reach whoever has the account now. Those that are gone.
std::vector<std::string> erase_other_addresses(Transaction& tx, const Account& account) {
  std::vector<std::string> others;
  scan_addresses(tx, {}, [&](const std::string& address, const AddressRow& row) {
    if (leads_to(row, account.id) && address != account.address) others.push_back(address);
    return true;
  });
  for (const auto& address : others) tx.erase(address_key(address));
  auto stays = split_address(account.address).second;
  for (const auto& address : others)
    if (auto domain = split_address(address).second; domain != stays)
      leave_domain(tx, domain, account.id);
  return others;
}

/// Writes the account with all that leads to it, and its standard mailboxes, if it lacks them.
void write_whole(Transaction& tx, const Account& account, Time now) {
  write_account(tx, account);
  write_address(tx, account.address, {AddressKind::Account, account.id, {}});
  auto domain = read_domain(tx, split_address(account.address).second);
  if (domain->first_account == 0) {
    domain->first_account = account.id;
    write_domain(tx, *domain);
  }
  mailbox::create_standard_mailboxes(tx, account.id, account.language, now);
}

}  // namespace

Result<Account> add_account(Transaction& tx, std::string_view address, std::string_view name,
                            Language language, bool add_missing_domain, Time now) {
  TRY(auto normal, free_address(tx, address));
  auto domain = split_address(normal).second;
  if (add_missing_domain && !read_domain(tx, domain)) TRY_DO(add_domain(tx, domain, now));
  TRY_DO(need_domain(tx, domain));
  auto state = read_state(tx);
  Account account;
  TRY(account.id, next_account(tx, state));
  mailbox::begin_former_numbers(tx, account.id == 1);
  account.address = normal;
  account.name = name;
  account.language = language;
  account.created = now;
  state.next_account = account.id + 1;
  tx.put(state_key(), encode(state));
  write_whole(tx, account, now);
  return account;
}

std::vector<AccountId> accounts_without_address(Reader& reader) {
  auto all = mailbox::list_accounts(reader);
  std::erase_if(all, [&](auto id) { return is_removed(reader, id) || has_address(reader, id); });
  return all;
}

Result<RecoveredAccount> recover_account(Transaction& tx, AccountId id, std::string_view address,
                                         std::string_view name, Language language, Time now) {
  auto before = get_account(tx, id);
  if (has_address(tx, id))
    return fail(ErrorCode::Exists, "account {} has its address: {}", id, before->address);
  if (is_removed(tx, id))
    return fail(ErrorCode::NotFound, "account {} was removed, and its mail goes", id);
  if (id == store::kInstance || !has_mail(tx, id))
    return fail(ErrorCode::NotFound, "there is no mail of an account {}", id);
  TRY(auto normal, free_address(tx, address, id));
  TRY_DO(need_domain(tx, split_address(normal).second));
  Account account;
  account.id = id;
  account.address = normal;
  account.name = name.empty() && before ? before->name : std::string(name);
  account.language = language;
  account.created = now;
  auto state = read_state(tx);
  state.next_account = std::max(state.next_account, id + 1);
  tx.put(state_key(), encode(state));
  // Who knew one of its passwords need not be who gets the mail now.
  tx.erase_range(credential_rows(id));
  auto former = erase_other_addresses(tx, account);
  write_whole(tx, account, now);
  mailbox::set_quota(tx, id, account.quota);
  return RecoveredAccount{account, std::move(former)};
}

Result<void> remove_account(Transaction& tx, std::string_view address, Time now) {
  TRY(auto normal, normalize_address(address));
  auto row = read_address(tx, normal);
  if (!row || row->kind != AddressKind::Account)
    return fail(ErrorCode::NotFound, "there is no account {}", normal);
  tx.erase(address_key(normal));
  tx.erase(account_key(row->account));
  tx.erase_range(credential_rows(row->account));
  tx.put(removed_key(row->account), {});
  mailbox::close_account(tx, row->account, now);

  leave_domain(tx, split_address(normal).second, row->account);
  changed(tx);
  return {};
}

std::vector<AccountId> removed_accounts(Reader& reader) {
  std::vector<AccountId> removed;
  reader.scan(Key(kInstance, kTableRemoved).children(),
              [&](std::string_view key, std::string_view) {
                removed.push_back(store::key_fields(key).u32_be());
                return true;
              });
  return removed;
}

bool erase_removed_account(Transaction& tx, AccountId account, Time now) {
  mailbox::close_account(tx, account, now);  // an earlier version may have removed it
  if (!mailbox::erase_account(tx, account)) return false;
  tx.erase(removed_key(account));
  return true;
}

Result<void> update_account(Transaction& tx, const Account& account) {
  auto stored = get_account(tx, account.id);
  if (!stored) return fail(ErrorCode::NotFound, "there is no account {}", account.address);
  Account changed_account = account;
  changed_account.address =
      stored->address;  // renaming is another matter: addresses, logins, aliases
  write_account(tx, changed_account);
  mailbox::set_quota(tx, account.id, account.quota);
  tx.notify(kInstance, kTopicDirectory);
  return {};
}

std::vector<Account> list_accounts(Reader& reader, std::string_view domain) {
  std::vector<Account> accounts;
  scan_addresses(reader, to_lower(domain), [&](const std::string&, const AddressRow& row) {
    if (row.kind != AddressKind::Account) return true;
    if (auto account = get_account(reader, row.account)) accounts.push_back(std::move(*account));
    return true;
  });
  return accounts;
}

std::optional<Account> find_account(Reader& reader, std::string_view address) {
  auto normal = normalize_address(address);
  if (!normal) return std::nullopt;
  auto row = read_address(reader, *normal);
  if (!row || row->kind != AddressKind::Account) return std::nullopt;
  return get_account(reader, row->account);
}

std::optional<Account> get_account(Reader& reader, AccountId id) {
  auto value = reader.get(account_key(id));
  if (!value) return std::nullopt;
  return decode_account(id, *value);
}

Result<void> add_alias(Transaction& tx, std::string_view address,
                       const std::vector<std::string>& targets) {
  TRY(auto normal, normalize_address(address));
  auto domain = split_address(normal).second;
  if (!read_domain(tx, domain)) {
    return fail(ErrorCode::NotFound, "{} is not a domain of this server: hikyaku domain add {}",
                domain, domain);
  }
  auto row = read_address(tx, normal);
  if (row && row->kind == AddressKind::Account)
    return fail(ErrorCode::Exists, "{} is an account", normal);
  if (!row) row = AddressRow{};
  for (auto& target : targets) {
    TRY(auto normal_target, normalize_address(target));
    if (normal_target == normal)
      return fail(ErrorCode::Invalid, "{} cannot be an alias of itself", normal);
    if (std::ranges::find(row->targets, normal_target) == row->targets.end())
      row->targets.push_back(normal_target);
  }
  if (row->targets.empty())
    return fail(ErrorCode::Invalid, "an alias needs at least one address that gets its mail");
  if (row->targets.size() > kMaxTargets)
    return fail(ErrorCode::TooLarge, "an alias can have {} targets at most", kMaxTargets);
  write_address(tx, normal, *row);
  return {};
}

Result<void> remove_alias(Transaction& tx, std::string_view address,
                          const std::vector<std::string>& targets) {
  TRY(auto normal, normalize_address(address));
  auto row = read_address(tx, normal);
  if (!row || row->kind != AddressKind::Alias)
    return fail(ErrorCode::NotFound, "there is no alias {}", normal);
  for (auto& target : targets) {
    TRY(auto normal_target, normalize_address(target));
    if (std::erase(row->targets, normal_target) == 0) {
      return fail(ErrorCode::NotFound, "the alias {} does not lead to {}", normal, normal_target);
    }
  }
  if (targets.empty() || row->targets.empty()) {
    tx.erase(address_key(normal));
    changed(tx);
  } else {
    write_address(tx, normal, *row);
  }
  return {};
}

std::vector<Alias> list_aliases(Reader& reader, std::string_view domain) {
  std::vector<Alias> aliases;
  scan_addresses(reader, to_lower(domain), [&](const std::string& address, const AddressRow& row) {
    if (row.kind == AddressKind::Alias) aliases.push_back({address, row.targets});
    return true;
  });
  return aliases;
}

AliasPage list_alias_page(Reader& reader, std::string_view from, std::size_t rows) {
  auto range = Key(kInstance, kTableAddress).children();
  if (!from.empty()) range.begin = from;
  AliasPage page;
  reader.scan(range, [&](std::string_view key, std::string_view value) {
    if (rows-- == 0) {
      page.next = key;
      return false;
    }
    auto row = decode_address(value);
    if (row.kind == AddressKind::Alias)
      page.aliases.push_back({address_of(key), std::move(row.targets)});
    return true;
  });
  return page;
}

std::optional<Alias> find_alias(Reader& reader, std::string_view address) {
  auto normal = normalize_address(address);
  if (!normal) return std::nullopt;
  auto row = read_address(reader, *normal);
  if (!row || row->kind != AddressKind::Alias) return std::nullopt;
  return Alias{*normal, std::move(row->targets)};
}

std::uint64_t directory_version(Reader& reader) {
  return read_state(reader).version;
}

void note_directory_change(Transaction& tx) {
  auto state = read_state(tx);
  ++state.version;
  tx.put(state_key(), encode(state));
  tx.notify(kInstance, kTopicDirectory);
}

}  // namespace hikyaku::auth
