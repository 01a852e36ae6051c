// Signals of the operating system, delivered on an event loop.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

namespace hikyaku::net {

class Cores;

/// Catches signals from its making to its end and calls the handler for each, on the first of
/// `cores`: there it may do anything. One object for the whole process. Destroy it when the loops
/// have ended, or on that loop.
class Signals {
 public:
  using Handler = std::function<void(int signal_number)>;

  Signals(Cores& cores, std::initializer_list<int> signal_numbers, Handler handler);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

 private:
  struct Waiting;
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace hikyaku::net
