// Sessions: every connection of the server, kept per event loop: who is there, and how they are
// ended.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/ended_sessions.h"
#include "app/give_way.h"
#include "app/session_facts.h"
#include "base/activity.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/rounds.h"
#include "base/task.h"
#include "base/time.h"
#include "net/cores.h"
#include "net/stream.h"

namespace hikyaku::app {

class Sessions {
 public:
  /// Serves one connection to its end. The activity outlives the task.
  using Serve = std::function<Task<void>(std::unique_ptr<net::Stream>, Activity&)>;

  /// What a session throws is told to `log`, and ends it alone.
  explicit Sessions(net::Cores& cores, const Log& log = {});
  /// What they hold, all together.
  SessionMemory& memory() { return memory_; }

  /// Starts a session on the calling loop. `protocol` is a literal.
  void spawn(std::string_view protocol, std::unique_ptr<net::Stream> stream, Serve serve);

  /// Of the session that has this stream; on its loop, while it lasts.
  Activity* activity_of(const net::Stream& stream) const;

  /// Everybody, in the order of arrival. On a loop.
  Task<std::vector<SessionFacts>> list();
  /// What those did that have ended (but for the program's own commands), by account and by
  /// address; of each loop those who ended last. On a loop.
  struct Ended {
    std::map<std::string, EndedSessions::Sum> accounts;
    std::map<std::string, EndedSessions::Sum> addresses;
  };
  Task<Ended> ended();
  /// Ends those that are chosen, each with its protocol's farewell; how many. On a loop.
  using Choose = std::function<bool(const SessionFacts&)>;
  Task<std::size_t> end(Choose choose, Activity::End why);

  /// Begins to end sessions of those who have not logged in (give_way.h), if limits.memory is
  /// nearly used up; at most a few times a second (GiveWayPace). For every connection that comes.
  /// On a loop.
  void make_room();

  /// Ends all sessions: they are told to (net::Stream::shut_down), and waited for. No new ones.
  /// Blocks; not on a loop.
  void end_all(milliseconds grace);
  std::size_t count() const;

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Entry {
    net::Stream* stream = nullptr;
    Activity* activity = nullptr;
    Moment since;
  };
  struct Loop {
    explicit Loop(const Log& log) : rounds(log, "sessions") {}
    Rounds rounds;
    Gate gate{[this](std::exception_ptr error) { rounds.tell(error); }};
    std::map<std::uint64_t, Entry> sessions;
    EndedSessions ended_accounts;
    EndedSessions ended_addresses;
  };
  Task<void> run(Loop& loop, std::string_view protocol, std::unique_ptr<net::Stream> stream,
                 Serve serve);
  static void note_end(Loop& loop, const Activity& activity, const Endpoint& peer);
  using Wanted = std::function<bool(const Activity&)>;
  Task<std::vector<SessionFacts>> gather(Wanted wanted);
  Task<void> end_strangers();
  static SessionFacts facts_of(std::uint64_t id, const Entry& entry, Moment now);

  net::Cores& cores_;
  SessionMemory memory_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::atomic<std::uint64_t> last_id_{0};
  GiveWayPace pace_;
};

}  // namespace hikyaku::app
