// Revocation: ends sessions whose account is gone or switched off, or whose password was changed.
#pragma once

#include <memory>

#include "app/sessions.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/rounds.h"
#include "base/wakeup.h"
#include "store/store.h"

namespace hikyaku::app {

/// Lives on one event loop. Store and sessions outlive it.
class Revocation {
 public:
  Revocation(store::Store& store, Sessions& sessions, Log log)
      : store_(store), sessions_(sessions), log_(std::move(log)), rounds_(log_, "revocation") {}

  void start();
  /// `stopped` runs when the present look has ended.
  void stop(Callback stopped);

 private:
  Task<void> run();
  /// At once, and again until everybody could be looked at. False: it is to end.
  Task<bool> look_at_all();
  Task<void> look();

  store::Store& store_;
  Sessions& sessions_;
  Log log_;
  std::unique_ptr<store::Subscription> changes_;
  Rounds rounds_;
  Gate gate_{[this](std::exception_ptr error) { rounds_.tell(error); }};
  Wakeup wakeup_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
