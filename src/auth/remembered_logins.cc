#include "auth/remembered_logins.h"

#include "crypto/keyed_hash.h"

namespace hikyaku::auth {

RememberedLogins::RememberedLogins(Settings settings, crypto::Random& random)
    : settings_(settings), key_(crypto::MasterKey::generate(random)) {}

crypto::Secret RememberedLogins::hash(std::string_view purpose, AccountId account,
                                      std::string_view first, std::string_view second) const {
  // Each part behind its length: no two different inputs look the same.
  std::string input = std::to_string(account) + " " + std::to_string(first.size()) + " ";
  input.reserve(input.size() + first.size() + second.size());
  input += first;
  input += second;
  auto result = crypto::Secret::take(crypto::keyed_hash(key_, purpose, input));
  crypto::wipe(input);
  return result;
}

bool RememberedLogins::knows(AccountId account, std::string_view stored,
                             const crypto::Secret& password, Time now) {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(account);
  if (found == entries_.end()) return false;
  auto& entry = found->second;
  auto age = now - entry.since;
  if (age >= settings_.lifetime || age < milliseconds(0) ||
      !(entry.version == hash("version", account, stored, ""))) {
    forget(account);
    return false;
  }
  return entry.password == hash("password", account, stored, password.reveal());
}

void RememberedLogins::remember(AccountId account, std::string_view stored,
                                const crypto::Secret& password, Time now) {
  std::lock_guard lock(mutex_);
  if (settings_.lifetime <= milliseconds(0) || settings_.entries == 0) return;
  forget(account);
  if (entries_.size() >= settings_.entries) forget(by_age_.front());
  auto age = by_age_.insert(by_age_.end(), account);
  entries_.emplace(account, Entry{hash("version", account, stored, ""),
                                  hash("password", account, stored, password.reveal()), now, age});
}

void RememberedLogins::set_lifetime(milliseconds lifetime) {
  std::lock_guard lock(mutex_);
  settings_.lifetime = lifetime;
}

std::size_t RememberedLogins::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

void RememberedLogins::forget(AccountId account) {
  auto found = entries_.find(account);
  if (found == entries_.end()) return;
  by_age_.erase(found->second.age);
  entries_.erase(found);
}

}  // namespace hikyaku::auth
