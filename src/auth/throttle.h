// Throttle: how often somebody may fail to log in. In memory, bounded, for all event loops
// together.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "auth/aged_map.h"
#include "base/ip.h"
#include "base/time.h"

namespace hikyaku::auth {

/// Who may not log in for a while.
struct ThrottledLogin {
  std::string network;  ///< an IPv4 address, an IPv6 /64
  std::string account;  ///< as it was typed, in lower case; empty: any that is not known there
  std::uint32_t failures = 0;
  Time until{};
};

/// Counts failures per client network (IPv4 address, IPv6 /64) and per network and account. A
/// success with an account forgives that pair, and what others do wrong in that network keeps the
/// pair out no more: behind a proxy or a gateway everybody comes from one address, and strangers
/// must not shut it for those who live there. An account is never locked for everybody: that would
/// let strangers lock people out. The same wrong password again is no guessing and does not count
/// again: a telephone that goes on with the old one must not lock out the other devices at home.
class Throttle {
 public:
  struct Settings {
    std::uint32_t max_failures = 10;  ///< of one network with one account, within the window
    std::uint32_t max_network_failures = 100;  ///< of one network with any accounts
    milliseconds window = std::chrono::minutes(15);
    std::size_t entries = 100'000;                   ///< the oldest are forgotten first
    milliseconds known_for = std::chrono::days(30);  ///< since an account's last success there
  };
  /// Who counts as one client: an IPv4 address, an IPv6 /64.
  static std::string network_of(const IpAddress& client);

  explicit Throttle(Settings settings)
      : settings_(settings), failures_(settings.entries), known_(settings.entries) {}

  /// From now on; for one network with any accounts, ten times as many.
  void set_max_failures(std::uint32_t most);
  /// True if this client may not try this account now.
  bool refuses(const IpAddress& client, const std::string& account, Time now);
  /// `tried`: a keyed hash of the password that was given; empty: not known, counts each time.
  void failed(const IpAddress& client, const std::string& account, Time now,
              std::string_view tried = {});
  void succeeded(const IpAddress& client, const std::string& account, Time now);

  /// Everybody whom refuses() would refuse, the longest known first.
  std::vector<ThrottledLogin> refused(Time now);
  /// Forgets the failures of an account (anywhere), or of a network, or of all with "all". Gives
  /// how many were refused because of them.
  std::size_t lift(std::string_view account_or_network, Time now);

 private:
  struct Failures {
    std::uint32_t count = 0;
    Time since{};
    std::vector<std::string> tried;  ///< at most max_failures
  };
  /// Of a network alone the account is empty.
  struct Who {
    std::string network;
    std::string account;
  };
  static std::string key_of(const Who& who);
  static Who who_is(const std::string& key);
  std::uint32_t most_of(const Who& who) const;

  bool is_current(const Failures& failures, Time now) const;
  bool is_known(const std::string& pair, Time now);
  std::uint32_t count(const std::string& key, Time now);
  Failures& add(const std::string& key, Time now);

  Settings settings_;
  std::mutex mutex_;
  AgedMap<std::string, Failures> failures_;
  AgedMap<std::string, Time> known_;  ///< the last success of a pair
};

}  // namespace hikyaku::auth
