// Throttle: how often somebody may fail to log in. In memory, bounded, for all event loops
// together.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "base/time.h"

namespace hikyaku::auth {

/// Counts failures per client network (IPv4 address, IPv6 /64) and per network and account. A
/// success with an account forgives that pair. An account is never locked for everybody: that would
/// let strangers lock people out. The same wrong password again is no guessing and does not count
/// again: a telephone that goes on with the old one must not lock out the other devices at home.
class Throttle {
 public:
  struct Settings {
    std::uint32_t max_failures = 10;  ///< of one network with one account, within the window
    std::uint32_t max_network_failures = 100;  ///< of one network with any accounts
    milliseconds window = std::chrono::minutes(15);
    std::size_t entries = 100'000;  ///< the oldest are forgotten first
  };
  /// Who counts as one client: an IPv4 address, an IPv6 /64.
  static std::string network_of(const IpAddress& client);

  explicit Throttle(Settings settings) : settings_(settings) {}

  /// From now on; for one network with any accounts, ten times as many.
  void set_max_failures(std::uint32_t most);
  /// True if this client may not try this account now.
  bool refuses(const IpAddress& client, const std::string& account, Time now);
  /// `tried`: a keyed hash of the password that was given; empty: not known, counts each time.
  void failed(const IpAddress& client, const std::string& account, Time now,
              std::string_view tried = {});
  void succeeded(const IpAddress& client, const std::string& account);

 private:
  struct Entry {
    std::uint32_t failures = 0;
    Time since{};
    std::vector<std::string> tried;  ///< at most max_failures
    std::list<std::string>::iterator age;
  };
  std::uint32_t count(const std::string& key, Time now);
  Entry& add(const std::string& key, Time now);
  void forget(const std::string& key);

  Settings settings_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> by_age_;  ///< oldest first
};

}  // namespace hikyaku::auth
