// The directory: domains, accounts, aliases. Who gets mail for an address, and who may send as it:
// auth/resolution.h, which comes with it.
// Functions over a Reader work in reads and in steps alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/resolution.h"
#include "base/phrase.h"
#include "base/result.h"
#include "base/time.h"
#include "store/store.h"

namespace hikyaku::auth {

/// A domain that we are responsible for. Names are A-labels in lower case.
struct Domain {
  std::string name;
  std::string catch_all;  ///< address that gets mail for unknown local parts; empty: 550 5.1.1
  Time created{};
};

/// One person's (or role's) mailboxes.
struct Account {
  AccountId id = 0;
  std::string address;  ///< primary address, also the login name; local part in lower case
  std::string name;     ///< display name, may be empty
  Language language = Language::English;
  bool enabled = true;      ///< disabled: no login, mail for it is refused with 550 5.2.1
  std::uint64_t quota = 0;  ///< bytes; 0: none
  Time created{};
};

/// Other addresses: every target gets the mail. Targets are addresses, here or elsewhere.
struct Alias {
  std::string address;
  std::vector<std::string> targets;
};

/// "User@EXAMPLE.com" as a key of the directory: local part and domain in lower case, IDN as
/// A-label. Invalid.
Result<std::string> normalize_address(std::string_view address);

/// Every domain has postmaster and abuse from the start (RFC 2142, RFC 5321 §4.5.1): they go to the
/// domain's first account until an alias of that name says otherwise.
Result<Domain> add_domain(store::Transaction& tx, std::string_view name, Time now);
/// Conflict while it has accounts or aliases.
Result<void> remove_domain(store::Transaction& tx, std::string_view name);
Result<void> set_catch_all(store::Transaction& tx, std::string_view domain,
                           std::string_view address);
std::vector<Domain> list_domains(store::Reader& reader);
/// The one that was added first: the domain of addresses that have none.
std::optional<Domain> first_domain(store::Reader& reader);
std::optional<Domain> find_domain(store::Reader& reader, std::string_view name);

/// Makes the account with its standard mailboxes. The domain is added when it is missing and
/// `add_missing_domain`. Exists (an account or alias), NotFound (domain), Invalid. Its number was
/// never another's: none of which there are rows, whatever the counter says.
Result<Account> add_account(store::Transaction& tx, std::string_view address, std::string_view name,
                            Language language, bool add_missing_domain, Time now);
/// Accounts that have mailboxes, but no address any more: damage has taken their rows. Not those
/// that were removed. Ascending.
std::vector<AccountId> accounts_without_address(store::Reader& reader);
struct RecoveredAccount {
  Account account;
  std::vector<std::string> former;  ///< addresses that led to it, and lead nowhere now
};
/// Gives one of them an address. It keeps its mailboxes, and gets standard ones that it lacks; it
/// has no password then. Exists (it has an address; the address is another's), NotFound (there is
/// no such mail; domain), Invalid.
Result<RecoveredAccount> recover_account(store::Transaction& tx, AccountId id,
                                         std::string_view address, std::string_view name,
                                         Language language, Time now);
/// Marks it, and nothing is written into its mailboxes any more; its mail is erased in pieces
/// behind (auth/ keeps what is left to do).
Result<void> remove_account(store::Transaction& tx, std::string_view address, Time now);
/// Removed accounts whose mail is still to be erased; erase_removed_account does a piece and is
/// true when all is gone.
std::vector<AccountId> removed_accounts(store::Reader& reader);
bool erase_removed_account(store::Transaction& tx, AccountId account, Time now);
Result<void> update_account(store::Transaction& tx, const Account& account);
std::vector<Account> list_accounts(store::Reader& reader, std::string_view domain = {});
std::optional<Account> find_account(store::Reader& reader, std::string_view address);
std::optional<Account> get_account(store::Reader& reader, AccountId id);

/// Adds targets to the address, making the alias when there is none. Exists (an account has the
/// address), NotFound (domain), Invalid.
Result<void> add_alias(store::Transaction& tx, std::string_view address,
                       const std::vector<std::string>& targets);
/// With no targets given the whole alias goes. NotFound.
Result<void> remove_alias(store::Transaction& tx, std::string_view address,
                          const std::vector<std::string>& targets = {});
std::vector<Alias> list_aliases(store::Reader& reader, std::string_view domain = {});
/// The alias with exactly this address.
std::optional<Alias> find_alias(store::Reader& reader, std::string_view address);

/// Grows with every change of the directory: caches compare it.
std::uint64_t directory_version(store::Reader& reader);
/// The store topic (of account store::kInstance) that is notified when the directory changes.
inline constexpr std::uint32_t kTopicDirectory = 1;

}  // namespace hikyaku::auth
