// Reading the whole store again and again, slowly, so that damage is told before anybody looks for
// it.
#pragma once

#include "app/core.h"
#include "base/task.h"
#include "base/wakeup.h"

namespace hikyaku::app {

/// Lives on one event loop. `core` must outlive it.
class Scrubbing {
 public:
  explicit Scrubbing(Core& core) : core_(core) {}

  /// Until stop(); ends after the step of a megabyte that is under way.
  Task<void> run();
  void stop();
  /// store.scrub_every may be another one.
  void look_again() { wakeup_.wake(); }

  /// How long to wait after a step that took so long. For a test.
  static std::chrono::nanoseconds pause_after(const store::Scrubbed& step,
                                              std::chrono::nanoseconds took,
                                              std::chrono::milliseconds every);

 private:
  Task<void> tell(store::BlobId body);

  Core& core_;
  Wakeup wakeup_;
  bool stopping_ = false;
};

}  // namespace hikyaku::app
