// LocalSockets: control.sock and submit.sock, where programs of this machine ask for something and
// hand in mail.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "app/control_io.h"
#include "app/instance.h"
#include "app/local_places.h"
#include "app/sessions.h"
#include "base/log.h"
#include "net/cores.h"
#include "net/listener.h"

namespace hikyaku::app {

/// Served from the beginning of a start on: opening the store may take long (what its journal holds
/// is read, an index made again), and whoever asks for something meanwhile hears that the server is
/// starting, waits, and is served when it has started.
class LocalSockets {
 public:
  /// What takes root's rights, and is refused in the sandbox.
  struct Bound {
    std::unique_ptr<net::Listener> control, submit;
  };
  static Result<Bound> bind(const Instance& instance);

  /// Serves what `sendmail -bs` asks for.
  using Smtp = std::function<Task<void>(std::unique_ptr<net::Stream>, Activity&)>;
  /// What they are served with. Nothing of it is used before let_in().
  struct Services {
    const ControlTable& commands;
    Smtp smtp;
  };
  /// All that is given outlives it.
  LocalSockets(Bound bound, net::Cores& cores, Sessions& sessions, Services services, Log log);

  /// So many programs of each user at once (limits.local_connections).
  void set_limit(std::uint32_t most) { places_.set_limit(most); }
  /// Begins to accept; whoever comes waits.
  void start();
  /// The server has started: those who wait are served, and all who come.
  void let_in() { state_ = State::Started; }
  /// Accepts no more; those who still wait for the start are told that there will be none. False:
  /// it was not started, or is stopped. Blocks; not on a loop.
  bool stop();

 private:
  enum class State { Starting, Started, Failed };

  void begin_control(std::unique_ptr<net::Stream> stream);
  void begin_submit(std::unique_ptr<net::Stream> stream);
  Task<void> serve_commands(std::unique_ptr<net::Stream> stream, LocalPlace local);
  Task<void> serve_programs(std::unique_ptr<net::Stream> stream, Activity& activity,
                            LocalPlace local);
  Task<Result<void>> wait_for_start(const net::Stream& stream, Speaker& speaker);
  Turn turn_of(const net::Stream& stream, LocalPlace& local);

  Bound bound_;
  net::Cores& cores_;
  Sessions& sessions_;
  Services services_;
  Log log_;
  LocalPlaces places_{sessions_};
  bool accepting_ = false;
  std::atomic<State> state_{State::Starting};
};

}  // namespace hikyaku::app
