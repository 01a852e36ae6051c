#include "auth/directory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "auth/alias_pages.h"
#include "auth/directory_rows.h"
#include "auth/tables.h"
#include "base/codec.h"
#include "base/text.h"
#include "mailbox/mailboxes.h"
#include "mailbox/numbers.h"
#include "smtp/path.h"

namespace hikyaku::auth {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;
using store::Transaction;

struct State {
  AccountId next_account = 1;
  std::uint64_t version = 1;
};

std::uint64_t millis(Time time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
}
Time time_from(std::uint64_t ms) {
  return Time(milliseconds(static_cast<std::int64_t>(ms)));
}

Key state_key() {
  return Key(kInstance, kTableDirectory);
}
Key domain_key(std::string_view name) {
  return Key(kInstance, kTableDomain).raw(name);
}
Key account_key(AccountId id) {
  return Key(kInstance, kTableAccount).u32(id);
}
Key address_key(std::string_view address) {
  auto [local, domain] = split_address(address);
  return Key(kInstance, kTableAddress).text(domain).raw(local);
}

State read_state(Reader& reader) {
  State state;
  if (auto value = reader.get(state_key())) {
    Decoder in(*value);
    state.next_account = static_cast<AccountId>(in.varint());
    state.version = in.varint();
  }
  return state;
}

void write_state(Transaction& tx, const State& state) {
  Encoder out;
  out.varint(state.next_account);
  out.varint(state.version);
  tx.put(state_key(), out.bytes());
}

/// Every change of the directory ends here.
void changed(Transaction& tx) {
  note_directory_change(tx);
}

DomainRow decode_domain(std::string_view name, std::string_view value) {
  Decoder in(value);
  DomainRow row;
  row.domain.name = name;
  row.domain.catch_all = in.text();
  row.domain.created = time_from(in.varint());
  row.first_account = static_cast<AccountId>(in.varint());
  return row;
}

void write_domain(Transaction& tx, const DomainRow& row) {
  Encoder out;
  out.text(row.domain.catch_all);
  out.varint(millis(row.domain.created));
  out.varint(row.first_account);
  tx.put(domain_key(row.domain.name), out.bytes());
  changed(tx);
}

Account decode_account(AccountId id, std::string_view value) {
  Decoder in(value);
  Account account;
  account.id = id;
  account.address = in.text();
  account.name = in.text();
  account.language = in.u8() == 1 ? Language::Japanese : Language::English;
  account.enabled = in.u8() != 0;
  account.quota = in.varint();
  account.created = time_from(in.varint());
  return account;
}

void write_account(Transaction& tx, const Account& account) {
  Encoder out;
  out.text(account.address);
  out.text(account.name);
  out.u8(account.language == Language::Japanese ? 1 : 0);
  out.u8(account.enabled ? 1 : 0);
  out.varint(account.quota);
  out.varint(millis(account.created));
  tx.put(account_key(account.id), out.bytes());
  changed(tx);
}

void write_address(Transaction& tx, std::string_view address, const AddressRow& row) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(row.kind));
  if (row.kind == AddressKind::Account) {
    out.u32_be(row.account);
  } else {
    out.varint(row.targets.size());
    for (auto& target : row.targets) out.text(target);
  }
  tx.put(address_key(address), out.bytes());
  changed(tx);
}

/// Of a key of kTableAddress.
std::string address_of(std::string_view key) {
  auto fields = key.substr(5);
  auto nul = fields.find('\0');
  return std::string(fields.substr(nul + 1)) + "@" + std::string(fields.substr(0, nul));
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

std::pair<std::string, std::string> split_address(std::string_view address) {
  auto at = address.rfind('@');
  return {std::string(address.substr(0, at)), std::string(address.substr(at + 1))};
}

std::optional<DomainRow> read_domain(Reader& reader, std::string_view name) {
  auto value = reader.get(domain_key(name));
  if (!value) return std::nullopt;
  return decode_domain(name, *value);
}

AddressRow decode_address(std::string_view value) {
  Decoder in(value);
  AddressRow row;
  row.kind = static_cast<AddressKind>(in.u8());
  if (row.kind == AddressKind::Account) {
    row.account = in.u32_be();
    return row;
  }
  for (auto left = in.varint(); left > 0 && !in.failed(); --left)
    row.targets.emplace_back(in.text());
  return row;
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

Result<Account> add_account(Transaction& tx, std::string_view address, std::string_view name,
                            Language language, bool add_missing_domain, Time now) {
  TRY(auto normal, normalize_address(address));
  if (auto row = read_address(tx, normal)) {
    return fail(ErrorCode::Exists, "{} is {} already", normal,
                row->kind == AddressKind::Account ? "an account" : "an alias");
  }
  auto domain = split_address(normal).second;
  if (!read_domain(tx, domain)) {
    if (!add_missing_domain) {
      return fail(ErrorCode::NotFound, "{} is not a domain of this server: hikyaku domain add {}",
                  domain, domain);
    }
    TRY_DO(add_domain(tx, domain, now));
  }
  auto state = read_state(tx);
  mailbox::begin_former_numbers(tx, state.next_account == 1);
  Account account;
  account.id = state.next_account++;
  account.address = normal;
  account.name = name;
  account.language = language;
  account.created = now;
  write_state(tx, state);
  write_account(tx, account);
  write_address(tx, normal, {AddressKind::Account, account.id, {}});
  auto row = read_domain(tx, domain);
  if (row->first_account == 0) {
    row->first_account = account.id;
    write_domain(tx, *row);
  }
  mailbox::create_standard_mailboxes(tx, account.id, language, now);
  return account;
}

Result<void> remove_account(Transaction& tx, std::string_view address, Time now) {
  TRY(auto normal, normalize_address(address));
  auto row = read_address(tx, normal);
  if (!row || row->kind != AddressKind::Account)
    return fail(ErrorCode::NotFound, "there is no account {}", normal);
  tx.erase(address_key(normal));
  tx.erase(account_key(row->account));
  tx.erase_range(Key(kInstance, kTableCredential).u32(row->account).children());
  tx.put(Key(kInstance, kTableRemoved).u32(row->account), {});
  mailbox::close_account(tx, row->account, now);

  auto domain = read_domain(tx, split_address(normal).second);
  if (domain && domain->first_account == row->account) {
    domain->first_account = 0;
    scan_addresses(tx, domain->domain.name, [&](const std::string&, const AddressRow& other) {
      if (other.kind != AddressKind::Account) return true;
      auto& first = domain->first_account;
      first = first == 0 ? other.account : std::min(first, other.account);
      return true;
    });
    write_domain(tx, *domain);
  }
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
  tx.erase(Key(kInstance, kTableRemoved).u32(account));
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
  write_state(tx, state);
  tx.notify(kInstance, kTopicDirectory);
}

}  // namespace hikyaku::auth
