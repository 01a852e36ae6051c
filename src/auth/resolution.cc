#include "auth/resolution.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "auth/directory.h"
#include "auth/directory_rows.h"
#include "base/text.h"
#include "smtp/path.h"

namespace hikyaku::auth {
namespace {

using store::Reader;

bool is_role_address(std::string_view local) {
  return local == "postmaster" || local == "abuse";
}

/// Follows one address to accounts and foreign addresses.
class Resolver {
 public:
  Resolver(Reader& reader, std::string_view delimiters)
      : reader_(reader), delimiters_(delimiters) {}

  /// What answers for an address.
  struct Row {
    /// The address that it stands at, which is without the detail that was asked for; of a
    /// catch-all "@" and the domain. All who come to it go the same way from there.
    std::string at;
    AddressKind kind = AddressKind::Alias;
    AccountId account = 0;
    std::string detail = {};
    std::string via = {};
    std::string stored = {};  ///< with the targets
    std::string catch_all = {};

    std::vector<std::string> targets() const {
      if (!catch_all.empty()) return {catch_all};
      return decode_address(stored).targets;
    }
  };

  /// The one that begins the way. The kind is found out as far as this tells it.
  const std::optional<Row>& begin(const std::string& address) {
    if (!domain(split_address(address).second)) return row_;
    result_.kind = Resolution::Kind::Unknown;
    row_ = look_up(address);
    return row_;
  }

  /// Where it leads.
  Resolution end() {
    if (row_) {
      seen_.insert(row_->at);
      result_.via = row_->via;
      follow(row_->at, *row_, 0);
    }
    if (result_.targets() > 0) result_.kind = Resolution::Kind::Local;
    return std::move(result_);
  }

 private:
  const std::optional<DomainRow>& domain(const std::string& name) {
    auto known = domains_.find(name);
    if (known == domains_.end()) known = domains_.emplace(name, read_domain(reader_, name)).first;
    return known->second;
  }

  /// The row for an address: as it stands, without its detail, the role addresses, the catch-all.
  std::optional<Row> look_up(const std::string& address) {
    if (auto value = read_address_value(reader_, address)) return stored_row(address, *value, {});
    auto [local, name] = split_address(address);
    if (auto split = smtp::split_detail(local, delimiters_);
        !delimiters_.empty() && split.first.size() < local.size()) {
      auto plain = std::string(split.first) + "@" + name;
      if (auto value = read_address_value(reader_, plain))
        return stored_row(std::move(plain), *value, split.second);
    }
    auto& row = domain(name);
    if (!row) return std::nullopt;
    if (is_role_address(local)) return role_account(*row, address);
    if (row->domain.catch_all.empty()) return std::nullopt;
    Row found{.at = "@" + name};
    found.via = "catch-all of " + name;
    found.catch_all = row->domain.catch_all;
    return found;
  }

  static Row stored_row(std::string at, std::string& value, std::string_view detail) {
    Row found{.at = std::move(at)};
    if (value.starts_with(static_cast<char>(AddressKind::Account))) {
      found.kind = AddressKind::Account;
      found.account = decode_address(value).account;
      found.detail = detail;
    } else {
      found.via = "alias " + found.at;
      found.stored = std::move(value);
    }
    return found;
  }

  /// The domain's first account, or the instance's when the domain has none.
  std::optional<Row> role_account(const DomainRow& row, const std::string& address) {
    auto id = row.first_account != 0 ? row.first_account : first_account(reader_);
    if (id == 0) return std::nullopt;
    Row found{.at = address, .kind = AddressKind::Account, .account = id};
    found.via = "the domain's first account answers for " + split_address(address).first;
    return found;
  }

  using Why = Resolution::DeadEnd::Why;

  /// Where something leads that was followed.
  struct Lead {
    bool somewhere = true;  ///< to somebody, or to a dead end that is told
    /// Otherwise: only back to an alias that the way came by, the first of these. Empty: to none.
    std::string back_to = {};
  };
  /// An alias that was come to.
  struct Passed {
    int depth = 0;
    bool done = false;  ///< else the way still goes on from it
    Lead lead = {};     ///< when it is done
  };

  void end_dead(const std::string& address, Why why) {
    result_.dead_ends.push_back({address, why});
  }

  Lead follow(const std::string& address, int depth) {
    if (auto alias = aliases_.find(address); alias != aliases_.end()) return known(alias->second);
    if (seen_.contains(address)) return {};
    if (depth > kMaxAliasDepth) {
      end_dead(address, Why::TooFar);
      return {};
    }
    seen_.insert(address);
    if (!domain(split_address(address).second)) {
      result_.remote.push_back(address);
      return {};
    }
    if (auto row = look_up(address)) return follow(address, *row, depth);
    end_dead(address, Why::Nobody);
    return {};
  }

  Lead follow(const std::string& address, const Row& row, int depth) {
    if (row.kind == AddressKind::Account) {
      add_account_target(row);
      return {};
    }
    aliases_.emplace(address, row.at);
    // Others may have come to it with other details, or by other unknown names.
    if (!passed_.try_emplace(row.at, Passed{.depth = depth}).second) return known(row.at);
    auto lead = follow_targets(row, depth);
    if (lead.back_to == row.at) lead.back_to.clear();
    if (!lead.somewhere && lead.back_to.empty()) {
      end_dead(row.at, Why::Circle);
      lead.somewhere = true;
    }
    passed_[row.at] = {.depth = depth, .done = true, .lead = lead};
    return lead;
  }

  Lead follow_targets(const Row& row, int depth) {
    Lead all{.somewhere = false};
    for (auto& target : row.targets()) {
      if (seen_.size() >= kMaxTargets) {
        if (!seen_.contains(target)) end_dead(target, Why::TooFar);
        return {};
      }
      auto lead = follow(target, depth + 1);
      if (lead.somewhere) all.somewhere = true;
      if (!lead.back_to.empty() &&
          (all.back_to.empty() || passed_[lead.back_to].depth < passed_[all.back_to].depth))
        all.back_to = lead.back_to;
    }
    return all;
  }

  /// Where an alias leads that was come to before.
  Lead known(const std::string& at) {
    auto& passed = passed_[at];
    if (!passed.done) return {.somewhere = false, .back_to = at};
    return passed.lead.somewhere ? Lead{} : known(passed.lead.back_to);
  }

  void add_account_target(const Row& row) {
    if (!accounts_.insert(row.account).second) return;
    auto account = get_account(reader_, row.account);
    if (!account) return;
    if (!account->enabled) {
      if (result_.kind == Resolution::Kind::Unknown) result_.kind = Resolution::Kind::Disabled;
      return end_dead(account->address, Why::Disabled);
    }
    result_.accounts.push_back({row.account, std::move(account->address), row.detail});
  }

  Reader& reader_;
  std::string_view delimiters_;
  Resolution result_;
  std::optional<Row> row_;
  std::map<std::string, std::optional<DomainRow>> domains_;
  std::unordered_set<std::string> seen_;                  ///< addresses
  std::unordered_map<std::string, std::string> aliases_;  ///< addresses, and their Row::at
  std::map<std::string, Passed> passed_;                  ///< by Row::at
  std::unordered_set<AccountId> accounts_;
};

/// The address as a key of the directory; nullopt: it cannot be one.
std::optional<std::string> key_of(Reader& reader, std::string_view address) {
  // RFC 5321 §4.5.1: postmaster without a domain is ours, whoever we are.
  if (iequals(address, "postmaster")) {
    auto domain = first_domain_name(reader);
    if (domain.empty()) return std::nullopt;
    return "postmaster@" + domain;
  }
  auto normal = normalize_address(address);
  if (!normal) return std::nullopt;
  return std::move(*normal);
}

}  // namespace

std::string_view to_string(Resolution::DeadEnd::Why why) {
  using Why = Resolution::DeadEnd::Why;
  switch (why) {
    case Why::Nobody:
      return "nobody has this address";
    case Why::Disabled:
      return "the account is switched off";
    case Why::Circle:
      return "it leads only back to itself";
    case Why::TooFar:
      return "it lies behind too many others";
  }
  return "";
}

Resolution resolve(Reader& reader, std::string_view address, std::string_view delimiters) {
  auto key = key_of(reader, address);
  if (!key) return {};
  Resolver resolver(reader, delimiters);
  resolver.begin(*key);
  return resolver.end();
}

std::shared_ptr<const Resolution> CachedResolver::resolve(Reader& reader,
                                                          std::string_view address) {
  auto key = key_of(reader, address);
  if (!key) return std::make_shared<Resolution>();
  Resolver resolver(reader, delimiters_);
  auto& row = resolver.begin(*key);
  // An account is read as fast as it is found here.
  if (!row || row->kind == AddressKind::Account)
    return std::make_shared<Resolution>(resolver.end());
  auto version = directory_version(reader);
  if (auto known = find(version, row->at)) return known;
  auto found = std::make_shared<Resolution>(resolver.end());
  keep(version, row->at, found);
  return found;
}

bool CachedResolver::may_send_as(Reader& reader, AccountId account, std::string_view address) {
  auto resolution = resolve(reader, address);
  // What only the catch-all brings here is nobody's own address.
  if (resolution->via.starts_with("catch-all")) return false;
  return std::ranges::any_of(resolution->accounts,
                             [&](auto& target) { return target.account == account; });
}

CachedResolver::Known CachedResolver::find(std::uint64_t version, const std::string& row) {
  std::lock_guard lock(mutex_);
  if (version != version_) return nullptr;
  auto found = known_.find(row);
  return found == known_.end() ? nullptr : found->second;
}

void CachedResolver::keep(std::uint64_t version, const std::string& row, const Known& found) {
  std::lock_guard lock(mutex_);
  if (version < version_) return;  // a read that began earlier
  auto weight = 1 + found->targets() + found->dead_ends.size();
  if (version > version_ || targets_ + weight > kMostTargets) {
    known_.clear();
    targets_ = 0;
  }
  version_ = version;
  if (known_.emplace(row, found).second) targets_ += weight;
}

}  // namespace hikyaku::auth
