#include "auth/directory_rows.h"

#include <algorithm>

#include "base/codec.h"

namespace hikyaku::auth {
namespace {

using store::Key;
using store::kInstance;

std::uint64_t millis(Time time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
}
Time time_from(std::uint64_t ms) {
  return Time(milliseconds(static_cast<std::int64_t>(ms)));
}

}  // namespace

std::pair<std::string, std::string> split_address(std::string_view address) {
  auto at = address.rfind('@');
  return {std::string(address.substr(0, at)), std::string(address.substr(at + 1))};
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
Key removed_key(AccountId id) {
  return Key(kInstance, kTableRemoved).u32(id);
}
store::KeyRange credential_rows(AccountId id) {
  return Key(kInstance, kTableCredential).u32(id).children();
}

std::string address_of(std::string_view key) {
  auto fields = key.substr(5);
  auto nul = fields.find('\0');
  return std::string(fields.substr(nul + 1)) + "@" + std::string(fields.substr(0, nul));
}

std::string encode(const DirectoryState& state) {
  Encoder out;
  out.varint(state.next_account);
  out.varint(state.version);
  return out.take();
}

std::string encode(const DomainRow& row) {
  Encoder out;
  out.text(row.domain.catch_all);
  out.varint(millis(row.domain.created));
  out.varint(row.first_account);
  return out.take();
}

std::string encode(const Account& account) {
  Encoder out;
  out.text(account.address);
  out.text(account.name);
  out.u8(account.language == Language::Japanese ? 1 : 0);
  out.u8(account.enabled ? 1 : 0);
  out.varint(account.quota);
  out.varint(millis(account.created));
  return out.take();
}

std::string encode(const AddressRow& row) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(row.kind));
  if (row.kind == AddressKind::Account) {
    out.u32_be(row.account);
  } else {
    out.varint(row.targets.size());
    for (auto& target : row.targets) out.text(target);
  }
  return out.take();
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

DirectoryState read_state(store::Reader& reader) {
  DirectoryState state;
  if (auto value = reader.get(state_key())) {
    Decoder in(*value);
    state.next_account = static_cast<AccountId>(in.varint());
    state.version = in.varint();
  }
  return state;
}

}  // namespace hikyaku::auth
