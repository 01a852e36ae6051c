// Who gets the mail for an address: aliases followed to accounts here and addresses elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/store.h"

namespace hikyaku::auth {

using store::AccountId;

/// How an address is to be delivered. Aliases are followed (≤ 10 deep, ≤ 1,000 targets).
struct Resolution {
  enum class Kind {
    Local,  ///< `accounts` and `remote` together are the recipients (either may be empty, not both)
    Unknown,   ///< our domain, no such address: 550 5.1.1
    Disabled,  ///< the account is switched off: 550 5.2.1
    Foreign,   ///< not our domain
  };
  struct LocalTarget {
    AccountId account = 0;
    std::string address;  ///< the account's primary address
    std::string detail;   ///< what stood behind the recipient delimiter ("+work"): "work"
  };
  /// What an alias names, and nobody gets by it.
  struct DeadEnd {
    enum class Why {
      Nobody,    ///< in a domain of ours, and nobody has the address
      Disabled,  ///< an account that is switched off
      Circle,    ///< an alias that leads only back to where the way came from
      TooFar,    ///< behind more aliases, or more targets, than are followed
    };
    std::string address;
    Why why = Why::Nobody;
  };
  Kind kind = Kind::Foreign;
  std::vector<LocalTarget> accounts;  ///< each once
  std::vector<std::string> remote;    ///< each once
  std::vector<DeadEnd> dead_ends;     ///< each once
  std::string via;  ///< for the story: "alias sales@a.test", "catch-all of a.test", ""

  std::size_t targets() const { return accounts.size() + remote.size(); }
};
/// "no such address" and the like.
std::string_view to_string(Resolution::DeadEnd::Why why);

/// `delimiters`: characters that separate a detail from the local part ("+"); empty: none. The
/// whole local part is tried first, then without the detail, then the catch-all. Up to about 3,000
/// rows are read.
Resolution resolve(store::Reader& reader, std::string_view address, std::string_view delimiters);

/// resolve() for who asks often: where an alias or a catch-all leads is worked
/// out once for each version of the directory, however many details ("list+1", "list+2", …) and
/// unknown names it is asked for by. From every thread, in reads of durable states only.
class CachedResolver {
 public:
  /// Targets that are kept in all, some 120 bytes each: dozens of lists as large as lists can be.
  /// What would be more takes the place of all.
  static constexpr std::size_t kMostTargets = 50'000;

  explicit CachedResolver(std::string delimiters) : delimiters_(std::move(delimiters)) {}

  /// The same object for all addresses of one alias, as long as it is kept.
  std::shared_ptr<const Resolution> resolve(store::Reader& reader, std::string_view address);
  /// True if the account may use this address in MAIL FROM and From: its own, with details, and
  /// aliases that lead to it.
  bool may_send_as(store::Reader& reader, AccountId account, std::string_view address);

 private:
  using Known = std::shared_ptr<const Resolution>;
  Known find(std::uint64_t version, const std::string& row);
  void keep(std::uint64_t version, const std::string& row, const Known& found);

  const std::string delimiters_;
  std::mutex mutex_;  // for all that follows
  std::uint64_t version_ = 0;
  std::size_t targets_ = 0;
  std::unordered_map<std::string, Known> known_;  ///< by the row where following begins
};

}  // namespace hikyaku::auth
