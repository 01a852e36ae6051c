#include "auth/remembered_logins.h"

#include "crypto/keyed_hash.h"

namespace hikyaku::auth {

RememberedLogins::RememberedLogins(Settings settings, crypto::Random& random)
    : settings_(settings), key_(crypto::MasterKey::generate(random)), entries_(settings.entries) {}

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
  auto* known = entries_.find(account);
  if (!known) return false;
  auto& entry = *known;
  auto age = now - entry.since;
  if (age >= settings_.lifetime || age < milliseconds(0) ||
      !(entry.version == hash("version", account, stored, ""))) {
    entries_.erase(account);
    return false;
  }
  return entry.password == hash("password", account, stored, password.reveal());
}

void RememberedLogins::remember(AccountId account, std::string_view stored,
                                const crypto::Secret& password, Time now) {
  std::lock_guard lock(mutex_);
  if (settings_.lifetime <= milliseconds(0) || settings_.entries == 0) return;
  entries_.renew(account) = Entry{hash("version", account, stored, ""),
                                  hash("password", account, stored, password.reveal()), now};
}

void RememberedLogins::set_lifetime(milliseconds lifetime) {
  std::lock_guard lock(mutex_);
  settings_.lifetime = lifetime;
}

std::size_t RememberedLogins::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace hikyaku::auth
