#include "auth/throttle.h"

#include <algorithm>

namespace hikyaku::auth {

std::string Throttle::network_of(const IpAddress& client) {
  return client.is_v4() ? client.to_string() : client.network(64).to_string() + "/64";
}

// A network has no space in it.
std::string Throttle::key_of(const Who& who) {
  return who.account.empty() ? who.network : who.network + " " + who.account;
}

Throttle::Who Throttle::who_is(const std::string& key) {
  auto space = key.find(' ');
  if (space == std::string::npos) return {key, ""};
  return {key.substr(0, space), key.substr(space + 1)};
}

std::uint32_t Throttle::most_of(const Who& who) const {
  return who.account.empty() ? settings_.max_network_failures : settings_.max_failures;
}

void Throttle::set_max_failures(std::uint32_t most) {
  std::lock_guard lock(mutex_);
  settings_.max_failures = most;
  settings_.max_network_failures = most * 10;
}

bool Throttle::refuses(const IpAddress& client, const std::string& account, Time now) {
  std::lock_guard lock(mutex_);
  auto network = network_of(client);
  auto pair = key_of({network, account});
  return count(pair, now) >= settings_.max_failures ||
         (count(network, now) >= settings_.max_network_failures && !is_known(pair, now));
}

void Throttle::failed(const IpAddress& client, const std::string& account, Time now,
                      std::string_view tried) {
  std::lock_guard lock(mutex_);
  auto network = network_of(client);
  auto pair = key_of({network, account});
  if (!tried.empty() && count(pair, now) > 0) {
    auto& known = failures_.get(pair).tried;
    if (std::ranges::find(known, tried) != known.end()) return;
  }
  auto& failures = add(pair, now);
  if (!tried.empty() && failures.tried.size() < settings_.max_failures)
    failures.tried.emplace_back(tried);
  add(network, now);
}

void Throttle::succeeded(const IpAddress& client, const std::string& account, Time now) {
  std::lock_guard lock(mutex_);
  auto pair = key_of({network_of(client), account});
  failures_.erase(pair);
  known_.renew(pair) = now;
}

std::vector<ThrottledLogin> Throttle::refused(Time now) {
  std::lock_guard lock(mutex_);
  std::vector<ThrottledLogin> result;
  for (auto& [key, failures] : failures_) {
    auto who = who_is(key);
    if (failures.count < most_of(who) || !is_current(failures, now)) continue;
    result.push_back({std::move(who.network), std::move(who.account), failures.count,
                      failures.since + settings_.window});
  }
  return result;
}

std::size_t Throttle::lift(std::string_view account_or_network, Time now) {
  std::lock_guard lock(mutex_);
  auto address = IpAddress::parse(account_or_network);
  auto network = address ? network_of(*address) : std::string(account_or_network);
  std::size_t count = 0;
  failures_.erase_if([&](auto& item) {
    auto who = who_is(item.key);
    auto is_meant = account_or_network == "all" || who.network == network ||
                    (!who.account.empty() && who.account == account_or_network);
    if (!is_meant) return false;
    if (item.value.count >= most_of(who) && is_current(item.value, now)) ++count;
    return true;
  });
  return count;
}

bool Throttle::is_current(const Failures& failures, Time now) const {
  // Set back, the clock would keep people out until it gets there again.
  return now >= failures.since && now - failures.since < settings_.window;
}

bool Throttle::is_known(const std::string& pair, Time now) {
  auto* last = known_.find(pair);
  return last && now - *last < settings_.known_for;
}

std::uint32_t Throttle::count(const std::string& key, Time now) {
  auto* failures = failures_.find(key);
  if (!failures) return 0;
  if (!is_current(*failures, now)) {
    failures_.erase(key);
    return 0;
  }
  return failures->count;
}

Throttle::Failures& Throttle::add(const std::string& key, Time now) {
  auto is_first = count(key, now) == 0;
  auto& failures = failures_.get(key);
  if (is_first) failures.since = now;
  ++failures.count;
  return failures;
}

}  // namespace hikyaku::auth
