// Sessions: every connection of the server, counted per event loop, so that shutdown can end them.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "base/gate.h"
#include "base/task.h"
#include "base/time.h"
#include "net/cores.h"
#include "net/stream.h"

namespace hikyaku::app {

class Sessions {
 public:
  /// Serves one connection to its end.
  using Serve = std::function<Task<void>(std::unique_ptr<net::Stream>)>;

  explicit Sessions(net::Cores& cores);

  /// Starts a session on the calling loop.
  void spawn(std::unique_ptr<net::Stream> stream, Serve serve);

  /// Ends all sessions: they are told to (net::Stream::shut_down), and waited for. No new ones.
  /// Blocks; not on a loop.
  void end_all(milliseconds grace);
  std::size_t count() const;

 private:
  struct Loop {
    Gate gate;
    std::set<net::Stream*> streams;
  };
  Task<void> run(Loop& loop, std::unique_ptr<net::Stream> stream, Serve serve);

  net::Cores& cores_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace hikyaku::app
