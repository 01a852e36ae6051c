#include "transmit/route.h"

#include <algorithm>
#include <fmt/core.h>

#include "base/text.h"
#include "smtp/path.h"

namespace hikyaku::transmit {
namespace {

/// MX hosts that are looked at; a domain with more has a problem of its own.
constexpr std::size_t kMaxHosts = 20;

class Finder {
 public:
  Finder(dns::Resolver& resolver, std::string domain, const Self& self, crypto::Random& random)
      : resolver_(resolver), domain_(std::move(domain)), self_(self), random_(random) {}

  Task<Route> run() {
    if (domain_.starts_with('[')) co_return use_literal();
    auto mx = co_await resolver_.mx(domain_);
    if (mx.failed()) {
      co_return temporary(
          {4, 4, 3}, fmt::format("the DNS could not tell the MX of {}: {}", domain_, mx.problem));
    }
    if (mx.status == dns::Status::NoName) {
      note("mx", "no such name", domain_);
      co_return permanent({5, 1, 2}, fmt::format("there is no domain {}", domain_));
    }
    if (mx.ok() && mx.records.size() == 1 && mx.records.front().exchange.empty()) {
      note("mx", "null", fmt::format("{} takes no mail (RFC 7505)", domain_));
      co_return permanent({5, 1, 10}, fmt::format("the domain {} takes no mail", domain_));
    }
    auto exchanges = std::move(mx.records);
    // RFC 7505 §3: a null MX beside others is a mistake, and no host.
    std::erase_if(exchanges, [](auto& record) { return record.exchange.empty(); });
    if (mx.ok()) {
      sort(exchanges);
    } else {
      note("mx", "none", fmt::format("{} has no MX: its own address is used", domain_));
      exchanges = {{0, mx.name.empty() ? domain_ : mx.name}};
    }
    co_return co_await resolve(exchanges);
  }

 private:
  void note(std::string check, std::string result, std::string reason) {
    route_.findings.push_back({std::move(check), std::move(result), std::move(reason)});
  }

  /// Fills route_ in; `co_return permanent(…)` gives it.
  Route permanent(smtp::EnhancedStatus status, std::string problem) {
    route_.kind = Route::Kind::Permanent;
    route_.status = status;
    route_.problem = std::move(problem);
    return std::move(route_);
  }
  Route temporary(smtp::EnhancedStatus status, std::string problem) {
    auto route = permanent(status, std::move(problem));
    route.kind = Route::Kind::Temporary;
    return route;
  }

  Route use_literal() {
    auto address = smtp::Mailbox{"", domain_, domain_}.literal();
    if (!address) return permanent({5, 1, 2}, domain_ + " is no address");
    if (is_self({domain_, {*address}}))
      return permanent({5, 4, 6}, fmt::format("{} is this server", domain_));
    route_.kind = Route::Kind::Hosts;
    route_.hosts = {{domain_, {*address}}};
    return std::move(route_);
  }

  /// By preference; equal ones in random order, so that they share the load (RFC 5321 §5.1).
  void sort(std::vector<dns::Mx>& exchanges) {
    for (std::size_t i = exchanges.size(); i > 1; --i) {
      std::swap(exchanges[i - 1], exchanges[random_.below(static_cast<std::uint32_t>(i))]);
    }
    std::ranges::sort(exchanges, {}, &dns::Mx::preference);
    std::string listed;
    for (auto& mx : exchanges)
      listed += fmt::format("{}{} {}", listed.empty() ? "" : ", ", mx.preference, mx.exchange);
    note("mx", "found", listed);
    if (exchanges.size() > kMaxHosts) exchanges.resize(kMaxHosts);
  }

  bool is_self(const Host& host) const {
    return iequals(host.name, self_.host_name) ||
           std::ranges::any_of(host.addresses, [&](auto& address) {
             return std::ranges::find(self_.addresses, address) != self_.addresses.end();
           });
  }

  Task<Route> resolve(const std::vector<dns::Mx>& exchanges) {
    std::string unknown;
    std::string failed;
    std::vector<std::pair<std::uint16_t, Host>> found;
    std::optional<std::uint16_t> own_preference;
    std::optional<std::uint16_t> failed_preference;
    for (auto& mx : exchanges) {
      Host host{mx.exchange, {}};
      auto problem = co_await addresses(host);
      if (!problem.empty() && host.addresses.empty()) {
        failed = problem;
        failed_preference = std::min(failed_preference.value_or(mx.preference), mx.preference);
      }
      // Also without an address: our name may be known outside only.
      if (is_self(host) && (!own_preference || mx.preference < *own_preference))
        own_preference = mx.preference;
      if (host.addresses.empty()) {
        if (problem.empty()) unknown = mx.exchange;
        continue;
      }
      found.emplace_back(mx.preference, std::move(host));
    }
    for (auto& [preference, host] : found) {
      // We are one of the hosts: only better ones may be used, or the message would come back.
      if (own_preference && preference >= *own_preference) continue;
      route_.hosts.push_back(std::move(host));
    }
    if (!route_.hosts.empty()) {
      route_.kind = Route::Kind::Hosts;
      co_return std::move(route_);
    }
    if (failed_preference && *failed_preference < own_preference.value_or(UINT16_MAX))
      co_return temporary({4, 4, 3}, failed);
    if (own_preference)
      co_return permanent({5, 4, 6},
                          fmt::format("the MX of {} leads back to this server", domain_));
    if (failed_preference) co_return temporary({4, 4, 3}, failed);
    co_return permanent({5, 4, 4},
                        fmt::format("{} has no address", unknown.empty() ? domain_ : unknown));
  }

  /// Adds the host's addresses; gives what went wrong when the DNS could not tell.
  Task<std::string> addresses(Host& host) {
    std::string problem;
    auto a = co_await resolver_.a(host.name);
    auto aaaa = co_await resolver_.aaaa(host.name);
    if (a.failed())
      problem = fmt::format("the DNS could not tell the address of {}: {}", host.name, a.problem);
    if (aaaa.failed())
      problem =
          fmt::format("the DNS could not tell the address of {}: {}", host.name, aaaa.problem);
    host.addresses = std::move(a.records);
    host.addresses.insert(host.addresses.end(), aaaa.records.begin(), aaaa.records.end());
    std::string listed;
    for (auto& address : host.addresses)
      listed += (listed.empty() ? "" : ", ") + address.to_string();
    note("address", listed.empty() ? "none" : "found",
         host.name + (listed.empty() ? "" : " is " + listed));
    co_return problem;
  }

  dns::Resolver& resolver_;
  std::string domain_;
  const Self& self_;
  crypto::Random& random_;
  Route route_;
};

}  // namespace

Task<Route> find_route(dns::Resolver& resolver, std::string domain, const Self& self,
                       crypto::Random& random) {
  Finder finder(resolver, std::move(domain), self, random);
  co_return co_await finder.run();
}

}  // namespace hikyaku::transmit
