// Makes the Authenticator of an instance (auth/login.h) on its directory and credentials.
#pragma once

#include <functional>
#include <memory>

#include "auth/credentials.h"
#include "auth/login.h"
#include "auth/metrics.h"
#include "base/executor.h"
#include "base/log.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "store/store.h"

namespace hikyaku::auth {

struct AuthenticatorSettings {
  std::string host_name;  ///< in the challenge of CRAM-MD5
  /// What listeners offer now: kept for every password when it is next known. From any thread;
  /// null: nothing.
  std::function<CredentialUses()> uses;
  LoginLimits limits;
  std::size_t parallel_hashes =
      2;  ///< Argon2 computations at once: 19 MiB each, and they must not starve mail
  /// A failed login is answered this much later: guessing is slow, a mistyped password no nuisance.
  /// Only tests have another.
  milliseconds failure_delay{1000};
};

/// All of it outlives the authenticator.
struct AuthenticatorServices {
  store::Store& store;
  /// For password hashes. A pool of their own in a server: mail must not wait behind them.
  WorkerPool& workers;
  const Clock& clock;
  crypto::Random& random;
  const crypto::MasterKey& master;
  const Metrics* metrics = nullptr;  ///< null: nothing is counted
};

std::unique_ptr<Authenticator> make_authenticator(AuthenticatorSettings settings,
                                                  AuthenticatorServices services, Log log);

}  // namespace hikyaku::auth
