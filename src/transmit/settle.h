// Settling: what became of the recipients of one message goes into queue, story and notices, in one
// transaction.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/phrase.h"
#include "base/task.h"
#include "base/time.h"
#include "crypto/random.h"
#include "dsn/report.h"
#include "queue/injector.h"
#include "store/store.h"
#include "transmit/outcome.h"

namespace hikyaku::transmit {

/// When it is tried again, and when it is given up.
struct Schedule {
  /// Waits after the first, second, … attempt; the last one repeats.
  std::vector<milliseconds> retry{std::chrono::minutes(5),  std::chrono::minutes(15),
                                  std::chrono::minutes(30), std::chrono::hours(1),
                                  std::chrono::hours(2),    std::chrono::hours(4)};
  milliseconds lifetime = std::chrono::hours(5 * 24);
  milliseconds delay_notice = std::chrono::hours(4);  ///< 0: none
};

/// What is still to be settled, and why it is not; nothing if all is.
struct Unsettled {
  std::vector<Outcome> outcomes;
  Error why;
};

class Settler {
 public:
  /// All references must outlive it. `ages`: the clock by which messages are late, and given up.
  /// `language`: of notices to whoever has no account here; null: English.
  Settler(store::Store& store, queue::Injector& injector, const Clock& clock, const Clock& ages,
          crypto::Random& random, Schedule schedule, std::string host_name,
          std::function<Language()> language, Log log);

  /// All outcomes belong to `message`. Gives those that the store did not take: their entries stay
  /// noted as attempted until they are settled. A notice that cannot be made now is made later.
  Task<Unsettled> settle(queue::Message message, std::vector<Outcome> outcomes);
  /// Tells the owner of held entries of one message (its sender, or postmaster) once, and notes
  /// that in the same transaction. An error: nobody was told.
  Task<Result<void>> tell_held(std::vector<queue::Entry> entries);

 private:
  struct Sorted;
  Sorted sort(const queue::Message& message, std::vector<Outcome> outcomes) const;
  Result<void> end_without_notice(store::Transaction& tx, const Sorted& sorted, Time expiry,
                                  Time now) const;
  Task<void> tell_delay(const queue::Message& message, const Sorted& sorted);
  Task<Result<void>> end_with_notice(const queue::Message& message, const Sorted& sorted, Time now);
  Task<Result<void>> put_off(const queue::Message& message, const std::vector<Outcome>& ended,
                             const queue::Injector::Also& end, const Error& why);
  Task<Result<void>> notify(const queue::Message& message, const std::vector<Outcome>& outcomes,
                            const queue::Injector::Also& also);
  /// Of who reads what is sent to this address, if that is somebody here.
  Language language_of(store::Reader& reader, std::string_view address) const;
  milliseconds waited_of(const queue::Entry& entry, milliseconds age) const;
  Time next_attempt(const queue::Entry& entry, Time now) const;
  void log_outcome(const Outcome& outcome, std::string_view result) const;

  store::Store& store_;
  queue::Injector& injector_;
  const Clock& clock_;
  const Clock& ages_;
  crypto::Random& random_;
  Schedule schedule_;
  std::string host_name_;
  std::function<Language()> language_;
  Log log_;
};

}  // namespace hikyaku::transmit
