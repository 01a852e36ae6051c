// Admission: how many connections there may be, in total and from one address.
#pragma once

#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "app/listeners.h"
#include "base/ip.h"
#include "base/time.h"

namespace hikyaku::app {

/// Counts connections; from every thread. IPv6 clients are counted by /64: one machine has that
/// many addresses.
class Admission {
 public:
  void set_limits(std::uint32_t total, std::uint32_t per_address);
  /// Fails with the option whose limit is reached (limits.memory: `most_here` from its address):
  /// do not serve it, do not leave().
  std::expected<void, std::string_view> enter(const IpAddress& peer,
                                              std::uint32_t most_here = UINT32_MAX);
  void leave(const IpAddress& peer);

 private:
  std::mutex mutex_;
  std::uint32_t most_ = UINT32_MAX;
  std::uint32_t most_per_address_ = UINT32_MAX;
  std::uint32_t total_ = 0;
  std::unordered_map<std::string, std::uint32_t> by_address_;
};

/// Which refused connections are worth a line in the log: of each network one a minute, and so many
/// in all, however many come. From every thread.
class RefusalLog {
 public:
  static constexpr std::size_t kMostLines = 30;  ///< a minute
  /// nullopt: none. Otherwise how many were refused since the last line without one.
  std::optional<std::uint64_t> note(const IpAddress& peer, Time now);

 private:
  std::mutex mutex_;
  Time begun_{};  ///< this minute
  std::unordered_set<std::string> told_;
  std::uint64_t untold_ = 0;
};

/// Who is counted as one: an IPv4 address, an IPv6 /64.
std::string network_of(const IpAddress& peer);

/// Why a client is not let in.
enum class NotNow { TooManyConnections, TooBusy };
/// What it is told, in its protocol's words.
std::string farewell(Service service, NotNow why, const std::string& host_name);

}  // namespace hikyaku::app
