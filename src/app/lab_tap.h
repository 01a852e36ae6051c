// Tap: somebody between a client and a server, who passes everything on: an eavesdropper, or a
// server in front that first says "later".
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/lab_server.h"

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

  /// Every byte that came by since the last forget(), in both directions.
  std::string recorded() const;
  void forget();

 private:
  Tap(World& world, Settings settings) : world_(world), settings_(settings), server_(world) {}
  using Shared = LabServer::Shared;
  Task<void> serve(Shared client);
  Task<void> say_later(net::Stream& client);
  Task<void> pump(Shared from, Shared to);

  World& world_;
  Settings settings_;
  std::string record_;  ///< on the lab's loop only
  LabServer server_;    ///< last: it ends first
};

/// Whether `secret` can be read in what was recorded: as it is, or in a word of base64.
bool can_read(std::string_view recorded, std::string_view secret);

}  // namespace hikyaku::app::lab
