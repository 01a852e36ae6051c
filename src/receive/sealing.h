// Sealing what leaves again: our set on top of the ARC chain of a message that another server
// brought and an alias of ours sends on (RFC 8617 §5.1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arc/verifier.h"
#include "base/executor.h"
#include "base/task.h"
#include "base/time.h"
#include "mime/authentication_results.h"
#include "receive/plan.h"
#include "receive/signing.h"
#include "store/store.h"
#include "story/story.h"

namespace hikyaku::receive {

/// The domains through which a plan sends on, in its order, each once, then the host's: the first
/// that has a key seals.
std::vector<std::string> sealing_domains(const Plan& plan, const std::string& host_name);

/// The key to seal with; nullopt: there is none.
std::optional<dkim::SigningKey> choose_sealing_key(const std::vector<dkim::SigningKey>& keys);

/// A message that leaves.
struct Departure {
  std::vector<std::string> domains;   ///< sealing_domains()
  std::string header;                 ///< as it leaves, what we found out and Received included
  std::string body;                   ///< all of it, or …
  store::StagedBlob staged = {};      ///< … where it is to be read, behind …
  std::uint64_t staged_header = 0;    ///< … so many bytes
  arc::Verdict chain;                 ///< what verifying it came to, when it arrived
  mime::AuthenticationResults found;  ///< what we say about it
  Time now{};
};

struct Sealed {
  std::string fields;  ///< to be put in front of the header; empty: it leaves as it is
  /// What became of it; nullopt when no domain here has a key, and nobody expects a seal.
  std::optional<story::Finding> finding;
};

/// Hashes the body and seals, on workers. What goes wrong is in the finding: mail is worth more
/// than its seal. The services outlive it.
Task<Sealed> seal(Departure message, KeyRing& keys, WorkerPool& workers, store::Store& store);

}  // namespace hikyaku::receive
