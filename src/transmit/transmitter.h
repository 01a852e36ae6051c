// Transmitter: sends what is due, destination by destination, until it is told to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/executor.h"
#include "base/log.h"
#include "base/phrase.h"
#include "base/time.h"
#include "crypto/random.h"
#include "dns/resolver.h"
#include "net/tls.h"
#include "queue/injector.h"
#include "store/store.h"
#include "transmit/connector.h"
#include "transmit/metrics.h"
#include "transmit/settle.h"

namespace hikyaku::transmit {

struct Settings {
  ConnectSettings connect;
  Schedule schedule;
  /// Of notices to whoever has no account here; asked for each. Null: English.
  std::function<Language()> language;
  Self self;
  std::size_t connections = 100;                ///< at once, to all destinations together
  std::size_t connections_per_destination = 4;  ///< so that no destination is flooded
  std::size_t messages_per_connection = 100;
  std::size_t window = 2'000;  ///< queue entries that are taken from the schedule at once
  /// … and of one destination: a slow one must not fill the window.
  std::size_t window_per_destination = 500;
};

/// All of it outlives the transmitter.
struct Services {
  store::Store& store;
  queue::Injector& injector;
  dns::Resolver& resolver;
  const net::ClientTls& tls;
  const Clock& clock;
  crypto::Random& random;
  Metrics metrics = {};
  const Clock* ages = nullptr;  ///< by which messages are late, and given up; null: `clock`
};

/// Lives on one event loop; construct, start and stop it there.
class Transmitter {
 public:
  virtual ~Transmitter() = default;
  /// Takes up what a crash cut off, then sends what is due, and goes on doing so.
  virtual void start() = 0;
  /// No new attempts; messages on the wire get `grace` to end, then their connections are cut.
  /// `stopped` runs when all is settled, or some seconds after that: what the store does not take
  /// by then, the next start takes up.
  virtual void stop(milliseconds grace, Callback stopped) = 0;
  /// Connections open now, entries being attempted: for metrics and `top`.
  virtual std::size_t connections() const = 0;
  virtual std::size_t attempting() const = 0;
};

std::unique_ptr<Transmitter> make_transmitter(Settings settings, Services services, Log log);

}  // namespace hikyaku::transmit
