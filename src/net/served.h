// A small server for tests: listens on a free port of 127.0.0.1 and serves each connection with a
// coroutine.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "base/gate.h"
#include "net/address.h"
#include "net/connect.h"
#include "net/cores.h"
#include "net/listener.h"

namespace hikyaku::net::testing {

inline void connect_raw(int fd, const Endpoint& to) {
  SocketAddress address(to);
  if (::connect(fd, address.get(), address.size) != 0) throw std::runtime_error("connect");
}

class Served {
 public:
  using Session = std::function<Task<void>(std::unique_ptr<Stream>)>;

  Served(std::size_t cores, Session session, Listener::Admit admit = {})
      : cores_(cores), session_(std::move(session)) {
    for (std::size_t i = 0; i < cores; ++i) gates_.push_back(std::make_unique<Gate>(end_process));
    listener_ = Listener::bind({*IpAddress::parse("127.0.0.1"), 0}).value();
    listener_->start(
        cores_, [this](std::unique_ptr<Stream> stream) { begin(std::move(stream)); },
        std::move(admit));
    cores_.start();
  }
  ~Served() {
    stop_listening();
    settle();
    cores_.stop();
    cores_.join();
  }

  Cores& cores() { return cores_; }
  Listener& listener() { return *listener_; }

  /// Connects on the last loop (the server's end is on the other one, if there are two) and runs
  /// `talk`.
  template <class Talk>
  void client(Talk talk) {
    ++clients_;
    cores_.run(cores_.size() - 1, [&]() -> Task<void> {
      auto stream = co_await connect(listener_->endpoint(), {}, std::chrono::seconds(5));
      co_await talk(**stream);
    });
  }

  void stop_listening() {
    if (std::exchange(stopped_, true)) return;
    std::promise<void> stopped;
    listener_->stop([&] { stopped.set_value(); });
    stopped.get_future().wait();
  }

  /// Waits until every client was served and every session has ended.
  void settle() {
    if (std::exchange(settled_, true)) return;
    // A client may have come and gone before the listener has seen it.
    for (int i = 0; i < 5000 && !stopped_ && taken_in() < clients_; ++i) ::usleep(1000);
    stop_listening();
    for (std::size_t i = 0; i < cores_.size(); ++i) cores_.call(i, [] {});
    for (std::size_t i = 0; i < gates_.size(); ++i) {
      std::promise<void> ended;
      cores_[i].post([&] { gates_[i]->close([&] { ended.set_value(); }); });
      ended.get_future().wait();
    }
  }

 private:
  void begin(std::unique_ptr<Stream> stream) {
    for (std::size_t i = 0; i < gates_.size(); ++i)
      if (&cores_[i] == Executor::current()) gates_[i]->spawn(serve(session_, std::move(stream)));
  }
  std::uint64_t taken_in() const {
    auto counters = listener_->counters();
    return counters.accepted + counters.refused + counters.dropped;
  }
  static Task<void> serve(Session& session, std::unique_ptr<Stream> stream) {
    try {
      co_await session(std::move(stream));
    } catch (const Disconnected&) {
    }
  }

  Cores cores_;
  Session session_;
  std::vector<std::unique_ptr<Gate>> gates_;
  std::unique_ptr<Listener> listener_;
  std::uint64_t clients_ = 0;
  bool stopped_ = false;
  bool settled_ = false;
};

}  // namespace hikyaku::net::testing
