// Activity: what a session does at this moment, for whoever watches the server (`hikyaku who`).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/metrics.h"
#include "base/session_memory.h"
#include "base/time.h"

namespace hikyaku {

/// Kept by a session, read by others, all on the session's event loop. It outlives the session.
struct Activity {
  std::uint64_t id = 0;        ///< of the session, as in log lines (cid)
  std::string_view protocol;   ///< "smtp", "imaps", …; a literal
  std::uint32_t account = 0;   ///< 0: nobody has logged in
  std::string user;            ///< the account's address
  std::string credential;      ///< the name of the password it was; empty: none was needed
  Time credential_made{};      ///< when that password was set
  std::string_view command;    ///< the last one, a literal; empty: none yet
  std::uint64_t commands = 0;  ///< so far
  bool busy = false;           ///< that command has not ended
  bool idling = false;         ///< it waits for news (IMAP IDLE)
  std::string place;           ///< the selected mailbox
  std::chrono::steady_clock::time_point since_command{};

  std::uint64_t bytes_in = 0;  ///< set when the session has ended
  std::uint64_t bytes_out = 0;

  std::uint64_t memory = 0;                ///< what it holds for its peer, about
  std::uint64_t memory_by_others = 0;      ///< of that, what others made it hold
  SessionMemory* memory_of_all = nullptr;  ///< where that is counted; null: nowhere

  /// Why the session is ended from outside; set before its stream is shut down.
  enum class End {
    Not,      ///< it is not, or the server goes down
    Kicked,   ///< somebody in charge wants it gone
    Revoked,  ///< what it logged in with is of no use any more
    TooMuch,  ///< it holds more memory than it may
    Crowded,  ///< it has not logged in, and others need its place
  };
  End end = End::Not;

  void log_in(std::uint32_t account_id, std::string address, std::string name, Time made) {
    account = account_id;
    user = std::move(address);
    credential = std::move(name);
    credential_made = made;
  }
  /// The session holds so much now, and `by_others` beside it (SessionMemory::change). False when
  /// that is too much: it is to shut its stream down.
  bool hold(std::uint64_t bytes, std::uint64_t by_others = 0) {
    memory_by_others = by_others;
    auto before = std::exchange(memory, bytes + by_others);
    if (!memory_of_all || memory_of_all->change(before, memory, by_others) || end != End::Not)
      return true;
    end = End::TooMuch;
    return false;
  }
  /// How much more it may hold: what it works with is to be bounded by that.
  std::uint64_t room() const {
    return memory_of_all ? memory_of_all->room(memory, memory_by_others) : UINT64_MAX;
  }
  /// The session's connection has carried so many bytes.
  void end_with(std::uint64_t in, std::uint64_t out) {
    bytes_in = in;
    bytes_out = out;
  }
  void log_out() {
    account = 0;
    user.clear();
    credential.clear();
  }
};

/// The time of one verb of a protocol; all drivers make theirs here, so that they are one family.
inline metrics::Histogram command_histogram(metrics::Registry& registry, std::string_view protocol,
                                            std::string_view verb) {
  return registry.histogram(
      "hikyaku_command_seconds",
      "Time that commands of sessions took, from the whole command to its answer. What waits for "
      "more from the client (AUTH, DATA, BDAT, APPEND, IDLE) includes that wait.",
      metrics::Unit::Seconds, metrics::kTimes,
      {{"protocol", std::string(protocol)}, {"verb", std::string(verb)}});
}

/// One command from its beginning to its end: noted in an Activity (if there is one), its time in a
/// histogram.
class CommandWatch {
 public:
  /// `verb` is a literal.
  CommandWatch(Activity* activity, std::string_view verb, metrics::Histogram histogram)
      : activity_(activity), histogram_(histogram), began_(std::chrono::steady_clock::now()) {
    if (!activity_) return;
    activity_->command = verb;
    activity_->since_command = began_;
    activity_->busy = true;
    ++activity_->commands;
  }
  CommandWatch(const CommandWatch&) = delete;
  CommandWatch& operator=(const CommandWatch&) = delete;
  ~CommandWatch() {
    histogram_.observe(std::chrono::steady_clock::now() - began_);
    if (activity_) activity_->busy = false;
  }

 private:
  Activity* activity_;
  metrics::Histogram histogram_;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace hikyaku
