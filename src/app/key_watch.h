// KeyWatch: looks for the records of new DKIM keys in the DNS, and lets the keys sign once
// everybody can see them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "app/core.h"
#include "auth/signing_keys.h"
#include "base/gate.h"
#include "base/rounds.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "dns/resolver.h"

namespace hikyaku::app {

/// What the last look for the record of each key came to, for those that have not been seen yet.
/// From any thread.
class KeyLooks {
 public:
  struct Look {
    Time when{};
    Time next{};          ///< about then it is looked for again
    std::string problem;  ///< the DNS could not be asked; empty: the record is not there
  };
  void note(const std::string& record_name, Look look);
  void forget(const std::string& record_name);
  /// Forgets all but these.
  void keep_only(const std::set<std::string>& record_names);
  /// The last look since the key was made: one of the same name may have been there before.
  std::optional<Look> find(const auth::SigningKey& key) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Look> looks_;
};

/// Looks for new keys' records, and for those of keys that sign already (the first ones of a
/// domain) until they have been seen. Lives on one event loop. What it is made with must outlive
/// it.
class KeyWatch {
 public:
  KeyWatch(Core& core, dns::Resolver& resolver, KeyLooks& looks)
      : core_(core), resolver_(resolver), looks_(looks), rounds_(core.log(), "dkim keys") {}

  void start();
  /// `stopped` runs when the present look has ended.
  void stop(Callback stopped);

 private:
  Task<void> run();
  /// How long to wait for the next look.
  Task<milliseconds> look();
  /// When to look again: at the end of the record's TTL, if it is there.
  Task<std::optional<Time>> look_at(auth::SigningKey key);

  Core& core_;
  dns::Resolver& resolver_;
  KeyLooks& looks_;
  Rounds rounds_;
  Gate gate_{[this](std::exception_ptr error) { rounds_.tell(error); }};
  Wakeup wakeup_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
