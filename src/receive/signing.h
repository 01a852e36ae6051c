// Signing what leaves: the keys of our domains at hand, and how messages are signed with them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/signing_keys.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/task.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "dkim/signer.h"
#include "store/store.h"

namespace hikyaku::receive {

/// Reads the private key of a domain's selector as PEM. Called on a worker.
using ReadSigningKey =
    std::function<Result<crypto::Secret>(const std::string& domain, const std::string& selector)>;

/// The private keys that sign, decoded and kept while the directory says that they are active; then
/// they are let go, which wipes them. From any event loop.
class KeyRing {
 public:
  /// All of them outlive it.
  KeyRing(store::Store& store, WorkerPool& workers, const Clock& clock, ReadSigningKey read,
          Log log);

  /// What a message is to be signed with.
  struct Keys {
    std::string domain;  ///< ours, and answerable for the author; empty: none is
    std::vector<dkim::SigningKey> keys;
    std::string problem;  ///< why there is no key although a domain is ours
  };
  /// `author_domain`: of the From field, as A-labels in lower case.
  Task<Keys> keys_for(std::string author_domain);

 private:
  struct Cached {
    std::string record;  ///< the directory's: another one under the same name is another key
    std::optional<crypto::PrivateKey> key = std::nullopt;
    std::string problem = {};
    Time until{};  ///< a problem is looked at again then
  };
  using Name = std::pair<std::string, std::string>;  ///< domain, selector

  Task<void> forget_others(std::uint64_t version);
  Task<Cached> get(auth::SigningKey wanted);
  bool is_kept(Time until) const;

  store::Store& store_;
  WorkerPool& workers_;
  const Clock& clock_;
  ReadSigningKey read_;
  Log log_;
  std::mutex mutex_;
  std::uint64_t version_ = 0;  ///< of the directory, when the cache was last looked through
  std::map<Name, Cached> cache_;
};

}  // namespace hikyaku::receive
