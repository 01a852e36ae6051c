#include "dnsbl/check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <list>

#include "base/started.h"
#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::dnsbl {
namespace {

constexpr double kMostWeight = 100;
constexpr std::size_t kMostCodes = 16;

/// An answer that says: it is listed.
bool is_code(const IpAddress& address) {
  static const IpAddress kLoopback(std::array<std::uint8_t, 4>{127, 0, 0, 0});
  static const IpAddress kTestPoint(std::array<std::uint8_t, 4>{127, 0, 0, 1});
  static const IpAddress kErrors(std::array<std::uint8_t, 4>{127, 255, 255, 0});
  return address.is_v4() && address.in_network(kLoopback, 8) && address != kTestPoint &&
         !address.in_network(kErrors, 24);
}

void count(Verdict& verdict, Zone&& zone, const dns::Answer<IpAddress>& answer) {
  Listing listing;
  for (auto& code : answer.records)
    if (is_code(code) && listing.codes.size() < kMostCodes) listing.codes.push_back(code);
  if (!listing.codes.empty()) {
    verdict.weight += zone.weight;
    listing.zone = std::move(zone);
    verdict.listings.push_back(std::move(listing));
  } else if (!answer.absent()) {
    verdict.failed.push_back(std::move(zone.name));
  }
}

}  // namespace

std::optional<Zone> parse_zone(std::string_view text) {
  Zone zone;
  auto equals = text.find('=');
  auto name = dns::normal_name(text.substr(0, equals));
  if (!name || !dns::is_domain_name(*name)) return std::nullopt;
  zone.name = *std::move(name);
  if (equals == std::string_view::npos) return zone;
  auto number = text.substr(equals + 1);
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), zone.weight,
                                      std::chars_format::fixed);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  if (!(zone.weight >= -kMostWeight && zone.weight <= kMostWeight)) return std::nullopt;
  return zone;
}

std::string query_name(const IpAddress& address, std::string_view zone) {
  auto reverse = address.reverse_name();
  // Without in-addr.arpa or ip6.arpa.
  reverse.resize(reverse.rfind('.', reverse.rfind('.') - 1) + 1);
  return reverse + std::string(zone);
}

Task<Verdict> check(dns::Resolver& dns, IpAddress address, std::vector<Zone> zones, Limits limits) {
  if (zones.size() > limits.zones) zones.resize(limits.zones);
  std::list<Started<dns::Answer<IpAddress>>> questions;
  for (auto& zone : zones) questions.emplace_back(dns.a(query_name(address, zone.name)));
  Verdict verdict;
  for (auto& zone : zones) {
    count(verdict, std::move(zone), *co_await questions.front().wait());
    questions.pop_front();
  }
  co_return verdict;
}

}  // namespace hikyaku::dnsbl
