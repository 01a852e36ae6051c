// Revocation: ends sessions whose account is gone or switched off, or whose password was changed.
#pragma once

#include <memory>

#include "app/sessions.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/wakeup.h"
#include "store/store.h"

namespace hikyaku::app {

/// Lives on one event loop. Store and sessions outlive it.
class Revocation {
 public:
  Revocation(store::Store& store, Sessions& sessions, Log log)
      : store_(store), sessions_(sessions), log_(std::move(log)) {}

  void start();
  /// `stopped` runs when the present look has ended.
  void stop(Callback stopped);

 private:
  Task<void> run();
  Task<void> look();

  store::Store& store_;
  Sessions& sessions_;
  Log log_;
  std::unique_ptr<store::Subscription> changes_;
  Gate gate_;
  Wakeup wakeup_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
