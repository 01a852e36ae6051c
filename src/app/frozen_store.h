// The store held still for a backup: by the running server, or, when none runs, in this process.
#pragma once

#include <memory>

#include "app/control_io.h"
#include "app/instance.h"
#include "app/store_damage.h"
#include "base/result.h"
#include "config/config.h"
#include "store/store.h"

namespace hikyaku::app {

/// Nothing of the store's files that it names goes away while it lives.
class FrozenStore {
 public:
  /// Unavailable, NoSpace, Denied, Conflict, Io. Blocks.
  static Result<std::unique_ptr<FrozenStore>> open(
      const Instance& instance, const config::Config& config,
      OnStarting starting = [] { return true; });
  virtual ~FrozenStore() = default;
  virtual const store::Frozen& frozen() const = 0;
  /// What was known of the store's damage when it was held.
  const StoreDamage& damage() const { return damage_; }
  /// False when the server that held it has ended: its files may be gone.
  virtual bool is_held() { return true; }

 protected:
  StoreDamage damage_;
};

}  // namespace hikyaku::app
