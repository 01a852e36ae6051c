// LabServer: a server that a scene plays itself, on the lab's first loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/lab_world.h"
#include "base/gate.h"
#include "net/listener.h"
#include "net/stream.h"

namespace hikyaku::app::lab {

class LabServer {
 public:
  using Shared = std::shared_ptr<net::Stream>;
  using Serve = std::function<Task<void>(Shared)>;

  /// `world` must outlive it.
  explicit LabServer(World& world) : world_(world) {}
  LabServer(const LabServer&) = delete;
  LabServer& operator=(const LabServer&) = delete;
  /// Cuts every connection and waits until nobody is served: what `serve` uses must outlive it.
  ~LabServer();

  /// Conflict with the endpoint's name when `at` is taken.
  Result<void> open(const Endpoint& at, Serve serve);

  // On the loop only:
  /// This connection is cut at the end, too, or after ten seconds of silence.
  void keep(const Shared& stream);
  void spawn(Task<void> task) { gate_.spawn(std::move(task)); }

 private:
  World& world_;
  std::unique_ptr<net::Listener> listener_;
  Gate gate_{end_process};
  std::vector<std::weak_ptr<net::Stream>> streams_;
};

}  // namespace hikyaku::app::lab
