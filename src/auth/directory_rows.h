// The rows of addresses and domains as they are stored. Private to auth/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/directory.h"
#include "auth/tables.h"
#include "store/store.h"

namespace hikyaku::auth {

/// How far and how wide aliases are followed; an alias has so many targets itself, too.
inline constexpr int kMaxAliasDepth = 10;
inline constexpr std::size_t kMaxTargets = 1'000;

enum class AddressKind : std::uint8_t { Account = 1, Alias = 2 };

struct AddressRow {
  AddressKind kind = AddressKind::Alias;
  AccountId account = 0;
  std::vector<std::string> targets;
};

struct DomainRow {
  Domain domain;
  AccountId first_account = 0;  ///< gets postmaster's and abuse's mail; 0: none yet
};

/// What there is once.
struct DirectoryState {
  AccountId next_account = 1;
  std::uint64_t version = 1;
};

/// Local part and domain.
std::pair<std::string, std::string> split_address(std::string_view address);

store::Key state_key();
store::Key domain_key(std::string_view name);
store::Key account_key(AccountId id);
store::Key address_key(std::string_view address);
store::Key removed_key(AccountId id);
/// All passwords of an account.
store::KeyRange credential_rows(AccountId id);
/// Of a key of kTableAddress.
std::string address_of(std::string_view key);

std::string encode(const DirectoryState& state);
std::string encode(const DomainRow& row);
std::string encode(const Account& account);
std::string encode(const AddressRow& row);
DomainRow decode_domain(std::string_view name, std::string_view value);
Account decode_account(AccountId id, std::string_view value);
AddressRow decode_address(std::string_view value);

DirectoryState read_state(store::Reader& reader);
/// Undecoded, for who may not need the targets.
std::optional<std::string> read_address_value(store::Reader& reader, std::string_view address);
std::optional<AddressRow> read_address(store::Reader& reader, std::string_view address);
std::optional<DomainRow> read_domain(store::Reader& reader, std::string_view name);

/// The first in the order of their numbers; 0: there is none.
AccountId first_account(store::Reader& reader);
/// The first in the order of their names; empty: there is none.
std::string first_domain_name(store::Reader& reader);

}  // namespace hikyaku::auth
