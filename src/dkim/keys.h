// The keys of a selector: asked for, read, kept; and a signature checked with them.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "base/time.h"
#include "dkim/key_record.h"
#include "dkim/signature.h"
#include "dkim/verdict.h"
#include "dns/resolver.h"

namespace hikyaku::dkim {

/// What was found at SELECTOR._domainkey.DOMAIN.
struct Keys {
  Lookup lookup;
  std::string problem;                              ///< why the lookup gave no records
  std::vector<hikyaku::Result<KeyRecord>> records;  ///< at most kMaxKeyRecords, as they came

  /// The lookup failed for now.
  bool failed() const {
    return lookup.status == dns::Status::Failed || lookup.status == dns::Status::Bogus;
  }
};

/// The standard foresees one record; what a signature meets in several is undefined (RFC 6376
/// §3.6.2.2). Each of these is tried.
inline constexpr std::size_t kMaxKeyRecords = 4;

/// Decoded keys for as long as the DNS allows: reading one costs as much as a tenth of using it.
/// Only found keys are kept. From any thread.
class KeyCache {
 public:
  /// Holds at most so many names (a key of 2,048 bits takes about 3 KB); when full, it forgets all.
  explicit KeyCache(std::size_t names = 2000) : names_(names) {}

  std::shared_ptr<const Keys> find(const std::string& name, Time now) const;
  void put(const std::string& name, std::shared_ptr<const Keys> keys, Time now);

 private:
  struct Entry {
    std::shared_ptr<const Keys> keys;
    Time until;
  };
  std::size_t names_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

/// Asks for the keys of a signature, or takes them from `cache`, which may be null. The resolver
/// and the cache must outlive the task.
Task<std::shared_ptr<const Keys>> ask_keys(dns::Resolver& resolver, KeyCache* cache,
                                           std::string selector, std::string domain, Time now);

/// RFC 8301 §3.2: verifiers must not take shorter RSA keys.
inline constexpr int kLeastRsaBits = 1024;

/// How the signature of `data` is by these keys.
struct KeyCheck {
  Result result = Result::PermError;
  std::string problem;
  int key_bits = 0;
  bool testing = false;
};

/// `identity_domain` is compared with `domain` where the key has t=s. RSA keys below kLeastRsaBits
/// and SHA-1 give Policy when the signature is right.
struct SignedBytes {
  Algorithm algorithm = Algorithm::RsaSha256;
  std::string_view data;
  std::string_view signature;
  std::string_view domain;
  std::string_view identity_domain;
};
KeyCheck check_with_keys(const Keys& keys, const SignedBytes& bytes);

/// Lets the loop do other things when many or large keys were worked with: RSA with 2,048 bits
/// takes 20 µs, with 8,192 bits 16 times as long, and there may be several records for a name.
class Breather {
 public:
  /// After each check_with_keys(). Goes on at once outside of a loop.
  Task<void> worked(const Keys& keys);

 private:
  std::chrono::microseconds spent_{0};
};

}  // namespace hikyaku::dkim
