// Core: one event loop on Asio. Private to net/ (it includes Asio); others see it as an Executor.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>

#include "base/executor.h"

namespace hikyaku::net {

namespace asio = boost::asio;

class Core final : public Executor {
 public:
  Core();
  ~Core() override;

  void post(Callback work) override;
  std::unique_ptr<Timer> after(std::chrono::nanoseconds delay, Callback work) override;

  asio::io_context& io() { return io_; }
  /// The Core whose thread this is; null elsewhere.
  static Core* current();

  void start();
  void stop();
  void join();

  std::size_t connections() const { return connections_.load(std::memory_order_relaxed); }

  /// Counts one connection while it lives.
  class Share {
   public:
    explicit Share(Core& core) : core_(&core) {
      core.connections_.fetch_add(1, std::memory_order_relaxed);
    }
    Share(Share&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (core_) core_->connections_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    Core* core_;
  };

 private:
  void run();

  asio::io_context io_{1};  // one thread runs it
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::atomic<std::size_t> connections_{0};
  /// Threads inside post(). What they post may be the last thing anybody waits for: it runs,
  /// whoever waited destroys this loop, and they have not come out yet.
  std::atomic<std::size_t> posting_{0};
  std::thread thread_;
};

}  // namespace hikyaku::net
