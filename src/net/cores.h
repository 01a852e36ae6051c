// Cores: the event loops of the process, one thread each.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/gate.h"
#include "base/task.h"

namespace hikyaku::net {

class Core;

/// As many event loops as the machine has cores (or fewer). A connection lives on one of them for
/// life. Making them ignores SIGPIPE for the whole process: a vanished peer is an error of write(),
/// not a signal.
class Cores {
 public:
  /// `count` loops, at least one.
  explicit Cores(std::size_t count);
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;
  /// Stops and joins, and waits for threads that are still inside post(): what a worker posts last
  /// may run, and its loop be destroyed, before it comes out. Streams and listeners must be gone.
  ~Cores();

  /// The number of CPUs this process may use.
  static std::size_t usable();

  std::size_t size() const { return cores_.size(); }
  Executor& operator[](std::size_t index) const;
  /// The loop with the fewest open connections. From any thread.
  Executor& least_loaded() const;
  /// Open connections on a loop. From any thread.
  std::size_t connections(std::size_t index) const;

  /// Starts the threads.
  void start();
  /// Ends the loops, after what is posted already has run. From any thread; end sessions first.
  void stop();
  /// Waits for the threads to end.
  void join();

  /// Runs `function` on the loop `index` and waits for what it returns (or throws). Not from a
  /// loop's thread.
  template <class Function>
  auto call(std::size_t index, Function function) -> std::invoke_result_t<Function&> {
    using Value = std::invoke_result_t<Function&>;
    std::packaged_task<Value()> task(std::move(function));
    auto value = task.get_future();
    (*this)[index].post([task = std::move(task)]() mutable { task(); });
    return value.get();
  }

  /// Runs the Task that `function` makes on the loop `index`, and waits for its value (or rethrows
  /// what it threw): one-shot commands, tests. Not from a loop's thread.
  template <class Function>
  auto run(std::size_t index, Function function) {
    using Made = std::invoke_result_t<Function&>;
    using Value = decltype(std::declval<Made&&>().operator co_await().await_resume());
    std::promise<void> ended;
    std::exception_ptr error;
    std::conditional_t<std::is_void_v<Value>, bool, std::optional<Value>> value{};
    Gate gate([&](std::exception_ptr thrown) { error = thrown; });
    (*this)[index].post([&] {
      gate.spawn(keep(function, value));
      gate.close([&] { ended.set_value(); });
    });
    ended.get_future().wait();
    if (error) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<Value>) return std::move(*value);
  }

  /// For net/ itself.
  Core& core(std::size_t index) const { return *cores_[index]; }
  Core& least_loaded_core() const;

 private:
  template <class Function, class Value>
  static Task<void> keep(Function& function, std::optional<Value>& into) {
    into.emplace(co_await function());
  }
  template <class Function>
  static Task<void> keep(Function& function, bool&) {
    co_await function();
  }

  std::vector<std::unique_ptr<Core>> cores_;
};

}  // namespace hikyaku::net
