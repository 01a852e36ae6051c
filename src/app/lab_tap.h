// Tap: somebody between a client and a server, who passes everything on: an eavesdropper, or a
// server in front that first says "later".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/lab_world.h"
#include "base/gate.h"
#include "net/listener.h"
#include "net/stream.h"

namespace hikyaku::app::lab {

class Tap {
 public:
  struct Settings {
    Endpoint at;
    Endpoint to;
    /// As many SMTP connections are answered 451 at RCPT (greylisting), before any is passed on.
    int later_first = 0;
  };
  /// Conflict with the endpoint's name when `at` is taken. `world` must outlive it.
  static Result<std::unique_ptr<Tap>> open(World& world, Settings settings);
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;
  ~Tap();

  /// Every byte that came by since the last forget(), in both directions.
  std::string recorded() const;
  void forget();

 private:
  Tap(World& world, Settings settings) : world_(world), settings_(settings) {}
  using Shared = std::shared_ptr<net::Stream>;
  Task<void> serve(Shared client);
  Task<void> say_later(net::Stream& client);
  Task<void> pump(Shared from, Shared to);

  World& world_;
  Settings settings_;
  std::unique_ptr<net::Listener> listener_;
  Gate gate_;
  // On the lab's loop only:
  std::string record_;
  std::vector<std::weak_ptr<net::Stream>> streams_;
};

/// Whether `secret` can be read in what was recorded: as it is, or in a word of base64.
bool can_read(std::string_view recorded, std::string_view secret);

}  // namespace hikyaku::app::lab
