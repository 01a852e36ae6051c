// dnsbl: what lists in the DNS say of a client's address (RFC 5782).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/task.h"
#include "dns/resolver.h"

namespace hikyaku::dnsbl {

/// A list, and how much it counts that an address stands on it. Negative: a list of the good.
struct Zone {
  std::string name;  ///< normal form
  double weight = 1;
  bool operator==(const Zone&) const = default;
};

/// "zen.example.org", "zen.example.org=2.5". nullopt for anything else; weights are from -100 to
/// 100.
std::optional<Zone> parse_zone(std::string_view text);

struct Limits {
  std::size_t zones = 16;  ///< that are asked
};

struct Listing {
  Zone zone;
  std::vector<IpAddress> codes;  ///< what the list says of the address, in its own terms
};

struct Verdict {
  std::vector<Listing> listings;
  std::vector<std::string> failed;  ///< lists that gave no usable answer: they do not count
  double weight = 0;                ///< the sum of the listings'
};

/// The name to ask for: 1.2.0.192.zen.example.org (RFC 5782 §2.1, §2.4).
std::string query_name(const IpAddress& address, std::string_view zone);

/// Asks all zones at once, one A question each. Only answers in 127.0.0.0/8 but not in
/// 127.255.255.0/24 (where lists say that they do not answer) nor 127.0.0.1 (RFC 5782 §5) count: a
/// list that has died and answers everything puts nobody on it. `dns` must outlive the task.
Task<Verdict> check(dns::Resolver& dns, IpAddress address, std::vector<Zone> zones,
                    Limits limits = {});

}  // namespace hikyaku::dnsbl
