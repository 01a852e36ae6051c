// KeyWatch: looks for the records of new DKIM keys in the DNS, and lets the keys sign once
// everybody can see them.
#pragma once

#include <memory>
#include <optional>

#include "app/core.h"
#include "auth/signing_keys.h"
#include "base/gate.h"
#include "base/task.h"
#include "base/wakeup.h"
#include "dns/resolver.h"

namespace hikyaku::app {

/// Lives on one event loop. `core` and `resolver` must outlive it.
class KeyWatch {
 public:
  KeyWatch(Core& core, dns::Resolver& resolver) : core_(core), resolver_(resolver) {}

  void start();
  /// `stopped` runs when the present look has ended.
  void stop(Callback stopped);

 private:
  Task<void> run();
  /// When to look again: at the end of the record's TTL, if it is there.
  Task<std::optional<Time>> look_at(auth::SigningKey key);

  Core& core_;
  dns::Resolver& resolver_;
  Gate gate_;
  Wakeup wakeup_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
