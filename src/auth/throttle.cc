#include "auth/throttle.h"

#include <algorithm>

namespace hikyaku::auth {
namespace {

std::string pair_of(const IpAddress& client, const std::string& account) {
  return Throttle::network_of(client) + " " + account;
}

}  // namespace

std::string Throttle::network_of(const IpAddress& client) {
  return client.is_v4() ? client.to_string() : client.network(64).to_string();
}

void Throttle::set_max_failures(std::uint32_t most) {
  std::lock_guard lock(mutex_);
  settings_.max_failures = most;
  settings_.max_network_failures = most * 10;
}

bool Throttle::refuses(const IpAddress& client, const std::string& account, Time now) {
  std::lock_guard lock(mutex_);
  return count(pair_of(client, account), now) >= settings_.max_failures ||
         count(network_of(client), now) >= settings_.max_network_failures;
}

void Throttle::failed(const IpAddress& client, const std::string& account, Time now,
                      std::string_view tried) {
  std::lock_guard lock(mutex_);
  auto pair = pair_of(client, account);
  if (!tried.empty() && count(pair, now) > 0) {
    auto& known = entries_[pair].tried;
    if (std::ranges::find(known, tried) != known.end()) return;
  }
  auto& entry = add(pair, now);
  if (!tried.empty() && entry.tried.size() < settings_.max_failures)
    entry.tried.emplace_back(tried);
  add(network_of(client), now);
}

void Throttle::succeeded(const IpAddress& client, const std::string& account) {
  std::lock_guard lock(mutex_);
  forget(pair_of(client, account));
}

std::uint32_t Throttle::count(const std::string& key, Time now) {
  auto found = entries_.find(key);
  if (found == entries_.end()) return 0;
  // Set back, the clock would keep people out until it gets there again.
  if (now < found->second.since || now - found->second.since >= settings_.window) {
    forget(key);
    return 0;
  }
  return found->second.failures;
}

Throttle::Entry& Throttle::add(const std::string& key, Time now) {
  count(key, now);  // drops what is too old
  auto [entry, added] = entries_.try_emplace(key);
  if (added) {
    entry->second.since = now;
    entry->second.age = by_age_.insert(by_age_.end(), key);
    if (entries_.size() > settings_.entries) forget(std::string(by_age_.front()));
  }
  ++entry->second.failures;
  return entry->second;
}

void Throttle::forget(const std::string& key) {
  auto found = entries_.find(key);
  if (found == entries_.end()) return;
  by_age_.erase(found->second.age);
  entries_.erase(found);
}

}  // namespace hikyaku::auth
