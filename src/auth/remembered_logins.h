// Which passwords were right a short while ago, so that a client that connects anew every few
// minutes does not cost an Argon2 computation each time.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "auth/aged_map.h"
#include "auth/directory.h"
#include "base/time.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace hikyaku::auth {

/// In memory only, from every thread. Kept is a hash of the password, keyed with a key that was
/// made when the process began and never leaves it. The hash is fast, so whoever reads this memory
/// could guess fast: that is why it is kept shortly, and wiped. An entry belongs to one account and
/// to what is stored of its password at that moment: once that is another, the entry is wrong, and
/// is wiped at the next look.
class RememberedLogins {
 public:
  struct Settings {
    milliseconds lifetime = std::chrono::hours(1);  ///< since it was really verified; 0: never
    std::size_t entries = 100'000;                  ///< about 250 bytes each; the oldest go first
  };
  RememberedLogins(Settings settings, crypto::Random& random);

  /// True if `password` was right for this account and this stored hash within the lifetime.
  bool knows(AccountId account, std::string_view stored, const crypto::Secret& password, Time now);
  /// It was verified just now.
  void remember(AccountId account, std::string_view stored, const crypto::Secret& password,
                Time now);
  /// Applies from now on; what is remembered for longer than that is forgotten at the next look.
  void set_lifetime(milliseconds lifetime);
  std::size_t size() const;

 private:
  struct Entry {
    crypto::Secret version;   ///< keyed hash of what is stored
    crypto::Secret password;  ///< keyed hash of the password and the version
    Time since{};
  };
  crypto::Secret hash(std::string_view purpose, AccountId account, std::string_view first,
                      std::string_view second) const;

  mutable std::mutex mutex_;
  Settings settings_;
  crypto::MasterKey key_;
  AgedMap<AccountId, Entry> entries_;
};

}  // namespace hikyaku::auth
