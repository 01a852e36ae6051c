// Readiness: how coroutines wait for a file descriptor, with deadlines and wake-ups. Private to
// net/.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>

#include "net/core_internal.h"
#include "net/fd.h"

namespace hikyaku::net {

/// How a wait ended.
enum class Outcome { Ready, Woken, Timeout, Shutdown, Closed };

/// A non-blocking file descriptor in a Core's loop. Lives in a shared_ptr, because handlers that
/// Asio still holds may come after its owner is gone; they find nobody waiting then.
class Readiness : public std::enable_shared_from_this<Readiness> {
 public:
  using Clock = std::chrono::steady_clock;
  using Moment = Clock::time_point;

  Readiness(Core& core, UniqueFd fd);

  int fd() const { return fd_; }
  bool closed() const { return closed_; }
  bool shutting_down() const { return shutting_down_; }
  bool out_of_grace() const { return write_until_ && Clock::now() >= *write_until_; }
  Core& core() const { return core_; }

  /// Closes the descriptor; who waits gets Closed.
  void close();
  /// Ends the current or the next wait for reading with Woken.
  void wake();
  /// Waits for reading end with Shutdown, waits for writing at `grace` from now.
  void shut_down(std::chrono::nanoseconds grace);

  void set_timeout(std::chrono::nanoseconds per_wait) { per_wait_ = per_wait; }
  std::chrono::nanoseconds timeout() const { return per_wait_; }
  /// Zero: none.
  void set_total_timeout(std::chrono::nanoseconds total);
  /// The moment that set_total_timeout stands for.
  std::optional<Moment> total_deadline() const { return total_deadline_; }
  void set_total_deadline(std::optional<Moment> deadline) { total_deadline_ = deadline; }
  /// True once the time of set_total_timeout is over.
  bool out_of_time() const { return total_deadline_ && Clock::now() >= *total_deadline_; }

 private:
  struct Direction;

 public:
  /// One co_await for readiness. If its coroutine is destroyed meanwhile, it takes itself out.
  class Wait {
   public:
    Wait(Readiness& readiness, Direction& direction, bool wakeable)
        : readiness_(readiness), direction_(direction), wakeable_(wakeable) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
      if (direction_.waiting == this) direction_.waiting = nullptr;
    }

    bool await_ready() noexcept {
      return readiness_.ended_already(direction_, wakeable_, outcome_);
    }
    void await_suspend(std::coroutine_handle<> handle) {
      handle_ = handle;
      readiness_.begin(direction_, *this);
    }
    Outcome await_resume() const noexcept { return outcome_; }

   private:
    friend class Readiness;
    Readiness& readiness_;
    Direction& direction_;
    bool wakeable_;
    Outcome outcome_ = Outcome::Ready;
    Moment deadline_;
    std::coroutine_handle<> handle_;
  };

  /// `co_await readiness.readable()`. Only the wakeable kind ends by wake().
  Wait readable() { return {*this, read_, false}; }
  Wait readable_or_woken() { return {*this, read_, true}; }
  Wait writable() { return {*this, write_, false}; }
  /// Nothing is there to read, as a read call has just said: an earlier event is spent.
  void nothing_to_read() { read_.ready = false; }

 private:
  /// Waiting for reading or for writing.
  struct Direction {
    asio::posix::stream_descriptor::wait_type type;
    Wait* waiting = nullptr;
    bool armed = false;  ///< Asio will tell
    bool ready = false;  ///< it told while nobody waited
  };

  bool ended_already(Direction& direction, bool wakeable, Outcome& outcome);
  void begin(Direction& direction, Wait& wait);
  void arm(Direction& direction);
  void end(Direction& direction, Outcome outcome);
  /// Ends the wait, if it still goes on, from the loop: never inside the call that asked for it.
  void end_later(Direction& direction, Outcome outcome);
  Moment deadline(const Direction& direction) const;
  void set_timer(Moment deadline);
  void on_timer();
  void expire(Direction& direction, Moment now);

  Core& core_;
  Core::Share share_;
  asio::posix::stream_descriptor descriptor_;
  int fd_;
  Direction read_{asio::posix::stream_descriptor::wait_read};
  Direction write_{asio::posix::stream_descriptor::wait_write};
  std::chrono::nanoseconds per_wait_;
  std::optional<Moment> total_deadline_;
  std::optional<Moment> write_until_;  ///< set while shutting down
  // One timer for all waits. It is not moved for each of them: when it fires too early, it is set
  // again.
  std::unique_ptr<Executor::Timer> timer_;
  Moment timer_at_;
  bool woken_ = false;
  bool shutting_down_ = false;
  bool closed_ = false;
};

}  // namespace hikyaku::net
