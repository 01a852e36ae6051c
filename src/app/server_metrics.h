// ServerMetrics: everything that the server counts, made once and handed down (docs/metrics.md).
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "app/confined_workers.h"
#include "app/listeners.h"
#include "app/measured_resolver.h"
#include "auth/metrics.h"
#include "base/log.h"
#include "base/metrics.h"
#include "httpd/server.h"
#include "net/worker_pool.h"
#include "receive/metrics.h"
#include "store/metrics.h"
#include "store/store.h"
#include "transmit/metrics.h"

namespace hikyaku::app {

/// Connections of one service.
struct ConnectionMetrics {
  metrics::Gauge open;
  metrics::Counter accepted, refused, bytes_in, bytes_out;
};

/// What is measured at intervals, by Watch.
struct WatchedMetrics {
  metrics::Gauge waiting, held, oldest, queue_bytes;
  metrics::Gauge journal_bytes;
  metrics::Gauge transmit_connections;
};

struct ServerMetrics {
  ServerMetrics();

  /// What others keep and this shows.
  struct Readings {
    store::Statistics store;
    net::ThreadPool::Load workers;
    std::uint64_t memory_plan = 0;
    std::uint64_t session_memory = 0;
    double certificate_end = 0;  ///< seconds since 1970; 0: there is none
  };
  /// From now on `read` is called, on any thread, when the numbers are wanted; until forget().
  void read_with(std::function<Readings()> read);
  void forget();

  const ConnectionMetrics& of(Service service) const {
    return connections[static_cast<std::size_t>(service)];
  }
  const smtpd::Metrics& smtp_of(Service service) const {
    return service == Service::Smtp ? smtp : submission;
  }

  metrics::Registry registry;
  std::array<ConnectionMetrics, kServices> connections;
  smtpd::Metrics smtp, submission, local;
  imapd::Metrics imap;
  pop3d::Metrics pop3;
  httpd::Metrics http;
  auth::Metrics auth;
  store::Metrics store;
  receive::Metrics receive;
  transmit::Metrics transmit;
  DnsMetrics dns;
  ConfinedMetrics confined;
  metrics::Counter handshakes, handshake_failures;
  WatchedMetrics watched;
  std::array<metrics::Counter, 5> log_lines;  ///< by level
  metrics::Counter log_lines_lost;

 private:
  void add_store();
  void add_process();

  std::mutex mutex_;
  std::function<Readings()> read_;
  Readings readings_;
};

/// Memory that the process has in use, as the kernel counts it (resident set).
std::uint64_t resident_memory();

/// Counts the lines that go through it.
class CountingSink final : public LogSink {
 public:
  /// Both must outlive it.
  CountingSink(LogSink& below, const ServerMetrics& metrics) : below_(below), metrics_(metrics) {}
  void write(LogLevel level, std::string_view line) override {
    metrics_.log_lines[static_cast<std::size_t>(level)].add();
    below_.write(level, line);
  }

 private:
  LogSink& below_;
  const ServerMetrics& metrics_;
};

/// docs/metrics.md.
std::string metrics_markdown(const metrics::Registry& registry);

}  // namespace hikyaku::app
