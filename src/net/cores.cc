#include "net/cores.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <sched.h>

#include "net/core_internal.h"

namespace hikyaku::net {
namespace {

thread_local Core* current_core = nullptr;

/// A timer on a Core. The handler that Asio holds may outlive it, and finds no work then.
class CoreTimer final : public Executor::Timer {
 public:
  CoreTimer(Core& core, std::chrono::nanoseconds delay, Callback work)
      : state_(std::make_shared<State>(core.io(), delay, std::move(work))) {
    state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
      if (error || !state->work) return;
      Callback work = std::exchange(state->work, nullptr);
      work();
    });
  }
  ~CoreTimer() override {
    if (!state_->work) return;
    state_->work = nullptr;
    state_->timer.cancel();
  }

 private:
  struct State {
    State(asio::io_context& io, std::chrono::nanoseconds delay, Callback callback)
        : timer(io, delay), work(std::move(callback)) {}
    asio::steady_timer timer;
    Callback work;
  };
  std::shared_ptr<State> state_;
};

}  // namespace

Core::Core() = default;

Core::~Core() {
  stop();
  join();
  // A few instructions of another thread, which nothing holds up.
  while (posting_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

Core* Core::current() {
  return current_core;
}

void Core::post(Callback work) {
  if (current_core == this) return asio::post(io_, std::move(work));
  posting_.fetch_add(1, std::memory_order_relaxed);
  asio::post(io_, std::move(work));
  posting_.fetch_sub(1, std::memory_order_release);
}

std::unique_ptr<Executor::Timer> Core::after(std::chrono::nanoseconds delay, Callback work) {
  return std::make_unique<CoreTimer>(*this, delay, std::move(work));
}

void Core::start() {
  thread_ = std::thread([this] { run(); });
}

void Core::run() {
  current_core = this;
  set_current(this);
  io_.run();
  // What was posted while the loop ended owns things (streams, coroutines) that want to be
  // destroyed on their own thread.
  io_.restart();
  io_.poll();
  set_current(nullptr);
  current_core = nullptr;
}

void Core::stop() {
  post([this] {
    work_.reset();
    io_.stop();
  });
}

void Core::join() {
  if (thread_.joinable()) thread_.join();
}

std::size_t Cores::usable() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<std::size_t>(CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

Cores::Cores(std::size_t count) {
  std::signal(SIGPIPE, SIG_IGN);
  for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i)
    cores_.push_back(std::make_unique<Core>());
}

Cores::~Cores() {
  stop();
  join();
}

Executor& Cores::operator[](std::size_t index) const {
  return *cores_[index];
}

Core& Cores::least_loaded_core() const {
  auto best = std::ranges::min_element(cores_, {}, [](auto& core) { return core->connections(); });
  return **best;
}

Executor& Cores::least_loaded() const {
  return least_loaded_core();
}

std::size_t Cores::connections(std::size_t index) const {
  return cores_[index]->connections();
}

void Cores::start() {
  for (auto& core : cores_) core->start();
}

void Cores::stop() {
  for (auto& core : cores_) core->stop();
}

void Cores::join() {
  for (auto& core : cores_) core->join();
}

}  // namespace hikyaku::net
