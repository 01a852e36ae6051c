// Admission: how many connections there may be, in total and from one address.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "app/listeners.h"
#include "base/ip.h"

namespace hikyaku::app {

/// Counts connections; from every thread. IPv6 clients are counted by /64: one machine has that
/// many addresses.
class Admission {
 public:
  void set_limits(std::uint32_t total, std::uint32_t per_address);
  /// False when there are too many, or `most_here` from its address: do not serve it, do not
  /// leave().
  bool enter(const IpAddress& peer, std::uint32_t most_here = UINT32_MAX);
  void leave(const IpAddress& peer);

 private:
  std::mutex mutex_;
  std::uint32_t most_ = UINT32_MAX;
  std::uint32_t most_per_address_ = UINT32_MAX;
  std::uint32_t total_ = 0;
  std::unordered_map<std::string, std::uint32_t> by_address_;
};

/// Who is counted as one: an IPv4 address, an IPv6 /64.
std::string network_of(const IpAddress& peer);

/// Why a client is not let in.
enum class NotNow { TooManyConnections, TooBusy };
/// What it is told, in its protocol's words.
std::string farewell(Service service, NotNow why, const std::string& host_name);

}  // namespace hikyaku::app
