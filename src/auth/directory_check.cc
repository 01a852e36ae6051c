#include "auth/directory_check.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "auth/directory_rows.h"
#include "mailbox/check.h"
#include "mailbox/mailboxes.h"
#include "mailbox/rows.h"

namespace hikyaku::auth {
namespace {

using store::Key;
using store::kInstance;
using store::Reader;

class DirectoryCheck {
 public:
  DirectoryCheck(Reader& reader, AccountId highest_named, Time now)
      : reader_(reader), highest_(highest_named), now_(now) {}

  DirectoryReport run() {
    load();
    check_removed();
    for (const auto& [address, row] : std::map(addresses_)) check_address(address, row);
    for (const auto& [id, account] : accounts_) check_account(account);
    check_domains();
    check_counter();
    look_for_mail();
    return std::move(report_);
  }

 private:
  template <class Visit>
  void each(store::Table table, Visit visit) {
    reader_.scan(Key(kInstance, table).children(),
                 [&](std::string_view key, std::string_view value) {
                   visit(key, value);
                   return true;
                 });
  }

  void load() {
    with_mail_ = mailbox::list_accounts(reader_);
    for (auto id : with_mail_) name(id);
    auto id_of = [&](std::string_view key) {
      auto id = store::key_fields(key).u32_be();
      name(id);
      return id;
    };
    each(kTableRemoved, [&](auto key, auto) { removed_.insert(id_of(key)); });
    each(kTableCredential, [&](auto key, auto) { id_of(key); });
    each(kTableAccount, [&](auto key, auto value) {
      auto id = id_of(key);
      accounts_[id] = decode_account(id, value);
    });
    each(kTableAddress, [&](auto key, auto value) {
      auto row = decode_address(value);
      name(row.account);
      addresses_[address_of(key)] = std::move(row);
    });
    each(kTableDomain, [&](auto key, auto value) {
      auto row = decode_domain(key.substr(5), value);
      name(row.first_account);
      domains_[row.domain.name] = std::move(row);
    });
  }

  void look_for_mail() {
    for (auto id : with_mail_) {
      auto account = accounts_.find(id);
      bool known = account != accounts_.end() && leads_to(account->second.address, id);
      if (!known && !removed_.contains(id)) report_.without_address.push_back(id);
    }
  }

  void name(AccountId id) { highest_ = std::max(highest_, id); }

  /// Damage may bring back what was erased.
  void check_removed() {
    for (auto id : removed_) {
      if (accounts_.erase(id) == 0) continue;
      report_.problem("account {} was removed, and has a row", id);
      report_.erase(account_key(id));
    }
  }

  bool leads_to(const std::string& address, AccountId id) const {
    auto found = addresses_.find(address);
    return found != addresses_.end() && found->second.kind == AddressKind::Account &&
           found->second.account == id;
  }

  /// The account behind an address.
  void check_address(const std::string& address, const AddressRow& row) {
    if (row.kind != AddressKind::Account) return;
    auto id = row.account;
    if (removed_.contains(id)) {
      report_.problem("{} leads to account {}, which was removed", address, id);
      return forget(address);
    }
    auto found = accounts_.find(id);
    if (found == accounts_.end()) {
      report_.problem(
          "{}: the row of its account {} is lost; its name, its language and whether it was "
          "disabled are not known any more",
          address, id);
      report_.made_again.push_back(address);
      Account made;
      made.id = id;
      made.address = address;
      made.quota = quota_of(id);
      made.created = now_;
      report_.put(account_key(id), encode(made));
      accounts_[id] = std::move(made);
    } else if (found->second.address != address) {
      report_.problem("{} leads to account {}, which is {}", address, id, found->second.address);
      if (!addresses_.contains(found->second.address) || leads_to(found->second.address, id))
        return forget(address);
      found->second.address = address;
      report_.put(account_key(id), encode(found->second));
    }
  }

  std::uint64_t quota_of(AccountId id) {
    try {
      return mailbox::usage(reader_, id).quota;
    } catch (const mailbox::CorruptRow&) {
      return 0;  // the check of the account tells it
    }
  }

  void forget(const std::string& address) {
    report_.erase(address_key(address));
    addresses_.erase(address);
  }

  /// Its address; one that another has got meanwhile is not taken from that.
  void check_account(const Account& account) {
    if (account.address.empty() || addresses_.contains(account.address)) return;
    report_.problem("{}: its address did not lead to its account {}", account.address, account.id);
    AddressRow row{AddressKind::Account, account.id, {}};
    report_.put(address_key(account.address), encode(row));
    addresses_[account.address] = std::move(row);
  }

  void check_domains() {
    std::map<std::string, AccountId> first;  // of the domains that are in use; 0: by aliases alone
    for (const auto& [address, row] : addresses_) {
      auto& of = first[split_address(address).second];
      if (row.kind == AddressKind::Account) of = of == 0 ? row.account : std::min(of, row.account);
    }
    for (const auto& [name, row] : domains_) first.try_emplace(name, 0);
    for (const auto& [name, account] : first) {
      auto found = domains_.find(name);
      if (found == domains_.end()) {
        report_.problem("the row of the domain {} is lost, and its catch-all with it", name);
        DomainRow made;
        made.domain.name = name;
        made.domain.created = now_;
        made.first_account = account;
        report_.put(domain_key(name), encode(made));
        continue;
      }
      auto& row = found->second;
      auto of = accounts_.find(row.first_account);
      if (of != accounts_.end() ? split_address(of->second.address).second == name
                                : row.first_account == account)
        continue;
      report_.problem("the mail of {}'s postmaster does not go to one of its accounts", name);
      row.first_account = account;
      report_.put(domain_key(name), encode(row));
    }
  }

  void check_counter() {
    auto state = read_state(reader_);
    bool again = state.next_account <= highest_;
    if (again) {
      report_.problem("the number of account {} would be given out again", highest_);
      state.next_account = highest_ == UINT32_MAX ? highest_ : highest_ + 1;
    }
    if (!again && report_.rows.empty()) return;
    ++state.version;
    report_.put(state_key(), encode(state));
  }

  Reader& reader_;
  AccountId highest_;
  Time now_;
  std::vector<AccountId> with_mail_;
  std::set<AccountId> removed_;
  std::map<AccountId, Account> accounts_;
  std::map<std::string, AddressRow> addresses_;
  std::map<std::string, DomainRow> domains_;
  DirectoryReport report_;
};

}  // namespace

DirectoryReport check_directory(Reader& reader, AccountId highest_named, Time now) {
  return DirectoryCheck(reader, highest_named, now).run();
}

void repair_directory(store::Transaction& tx, const DirectoryReport& report) {
  for (const auto& [key, value] : report.rows) value ? tx.put(key, *value) : tx.erase(key);
  tx.notify(kInstance, kTopicDirectory);
}

}  // namespace hikyaku::auth
