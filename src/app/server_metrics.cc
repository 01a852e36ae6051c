#include "app/server_metrics.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/core.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr std::array<Service, kServices> kAllServices{
    Service::Smtp,  Service::Submission, Service::Submissions, Service::Imap,
    Service::Imaps, Service::Pop3,       Service::Pop3s,       Service::Http};
constexpr std::array kLevels{"error", "warn", "info", "debug", "trace"};

ConnectionMetrics connection_metrics(metrics::Registry& registry, Service service) {
  std::string protocol(to_string(service));
  auto bytes = [&](const char* direction) {
    return registry.counter("hikyaku_connection_bytes_total",
                            "Bytes that ended connections have carried, as the protocol sees them.",
                            {{"protocol", protocol}, {"direction", direction}});
  };
  return {registry.gauge("hikyaku_connections_open", "Connections that are open now.",
                         {{"protocol", protocol}}),
          registry.counter("hikyaku_connections_total", "Connections that were served.",
                           {{"protocol", protocol}}),
          registry.counter("hikyaku_connections_refused_total",
                           "Connections that were refused because there were too many, or they "
                           "held too much memory.",
                           {{"protocol", protocol}}),
          bytes("in"), bytes("out")};
}

}  // namespace

std::uint64_t resident_memory() {
  auto statm = read_file("/proc/self/statm", 4096);
  if (!statm) return 0;
  auto words = split(*statm, ' ');
  auto pages = words.size() > 1 ? parse_decimal(words[1]).value_or(0) : 0;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

ServerMetrics::ServerMetrics()
    : smtp(registry, "smtp"),
      submission(registry, "submission"),
      local(registry, "local"),
      imap(registry),
      pop3(registry),
      http(registry),
      auth(registry),
      store(registry),
      receive(registry),
      transmit(registry),
      dns(registry),
      confined(registry) {
  for (auto service : kAllServices)
    connections[static_cast<std::size_t>(service)] = connection_metrics(registry, service);
  auto handshake = [&](const char* outcome) {
    return registry.counter("hikyaku_tls_handshakes_total",
                            "TLS handshakes with clients by how they ended.",
                            {{"outcome", outcome}});
  };
  handshakes = handshake("ok");
  handshake_failures = handshake("failed");
  auto queued = [&](const char* state) {
    return registry.gauge("hikyaku_queue_recipients",
                          "Recipients in the queue by state; looked at every few seconds.",
                          {{"state", state}});
  };
  watched.waiting = queued("waiting");
  watched.held = queued("held");
  watched.oldest =
      registry.gauge("hikyaku_queue_oldest_seconds",
                     "Age of the oldest message in the queue that is not held; 0: there is none.");
  watched.queue_bytes =
      registry.gauge("hikyaku_queue_bytes", "Size of the messages in the queue (queue.max_bytes).");
  watched.journal_bytes = registry.gauge("hikyaku_store_journal_bytes",
                                         "Size of the journal's files: all mail and its history.");
  watched.transmit_connections = registry.gauge("hikyaku_transmit_connections_open",
                                                "Connections to other servers that are open now.");
  for (std::size_t i = 0; i < kLevels.size(); ++i)
    log_lines[i] = registry.counter("hikyaku_log_lines_total", "Lines in the log by level.",
                                    {{"level", kLevels[i]}});
  log_lines_lost = registry.counter("hikyaku_log_lines_lost_total",
                                    "Those of them that nobody read in time: they are lost.");
  add_store();
  add_process();
  registry.before_reading([this] {
    std::lock_guard lock(mutex_);
    if (read_) readings_ = read_();
  });
}

void ServerMetrics::read_with(std::function<Readings()> read) {
  std::lock_guard lock(mutex_);
  read_ = std::move(read);
}

void ServerMetrics::forget() {
  read_with({});
}

void ServerMetrics::add_store() {
  auto& now = readings_.store;
  auto counter = [&](const char* name, const char* help, const std::uint64_t& value) {
    registry.counter_from(name, help, [&value] { return static_cast<double>(value); });
  };
  auto gauge = [&](const char* name, const char* help, const std::uint64_t& value) {
    registry.gauge_from(name, help, [&value] { return static_cast<double>(value); });
  };
  counter("hikyaku_store_transactions_total", "Transactions that were made durable.",
          now.transactions);
  counter("hikyaku_store_failed_steps_total", "Transactions that ended with an error.",
          now.failed_steps);
  counter("hikyaku_store_cold_steps_total",
          "Steps that were put off because what they read was not in memory.", now.cold_steps);
  counter("hikyaku_store_batches_total", "Groups of transactions: writes and syncs.", now.groups);
  counter("hikyaku_store_journal_written_bytes_total", "Bytes written to the journal in groups.",
          now.journal_bytes);
  counter("hikyaku_store_index_flushes_total", "Times that the index was written to the disk.",
          now.index_flushes);
  gauge("hikyaku_store_waiting_transactions", "Transactions that wait for their turn.",
        now.waiting);
  registry.gauge_from(
      "hikyaku_store_write_under_way_seconds",
      "How long the oldest write to the disk that has not ended yet has gone on; "
      "0: there is none.",
      [&now] { return std::chrono::duration<double>(now.write_under_way).count(); });
  gauge("hikyaku_store_staged_bytes", "Memory of message bodies that are on their way in.",
        now.staged_bytes);
  gauge("hikyaku_store_tail_bytes", "What a restart after a crash would have to replay.",
        now.tail_bytes);
  gauge("hikyaku_store_lost_segments",
        "Journal segments with mail that were missing or too short at the start.",
        now.lost_segments);
  counter(
      "hikyaku_store_unreadable_bodies_total",
      "Messages' bodies that were found to be unreadable, by who asked for them or by scrubbing, "
      "each once.",
      now.unreadable_found);
  gauge("hikyaku_store_unreadable_bodies",
        "Messages' bodies that are known to be unreadable now; scrubbing forgets those that were "
        "mended or are gone.",
        now.unreadable_bodies);
  gauge("hikyaku_store_damaged_records",
        "Parts of the journal beside bodies that are known to be unreadable now.",
        now.damaged_records);
  counter("hikyaku_store_scrubbed_bytes_total",
          "Bytes that were read again to find damage (store.scrub_every).", now.scrubbed_bytes);
  counter("hikyaku_store_scrub_found_total",
          "Damage that scrubbing was the first to meet: bodies, other parts of the journal, the "
          "index.",
          now.scrub_found);
  registry.gauge_from(
      "hikyaku_store_scrub_end_timestamp_seconds",
      "When all of the store had last been read through; 0: never yet.",
      [&now] { return std::chrono::duration<double>(now.scrub_ended.time_since_epoch()).count(); });
  registry.gauge_from("hikyaku_store_index_damaged",
                      "Whether a part of the index could not be read (1) since the start; the next "
                      "start makes it again.",
                      [&now] { return now.index_damage.empty() ? 0.0 : 1.0; });
  registry.gauge_from("hikyaku_store_index_stall",
                      "Whether the index takes writes: 0 yes, 1 slowly, 2 not now.",
                      [&now] { return static_cast<double>(now.index_stall); });
  gauge("hikyaku_store_ballast_bytes",
        "Space kept in data/BALLAST for a full disk; 0: it was given up, and there is no room for "
        "it yet.",
        now.ballast_bytes);
  registry.gauge_from("hikyaku_store_read_only",
                      "1 when the journal is damaged and nothing can be written.",
                      [&now] { return now.read_only.empty() ? 0.0 : 1.0; });
}

void ServerMetrics::add_process() {
  auto gauge = [&](const char* name, const char* help, auto read) {
    registry.gauge_from(name, help, [read] { return static_cast<double>(read()); });
  };
  gauge("hikyaku_workers", "Threads for what takes long.",
        [this] { return readings_.workers.threads; });
  gauge("hikyaku_workers_busy", "Those of them that work now.",
        [this] { return readings_.workers.running; });
  gauge("hikyaku_worker_queue_length", "Work that waits for such a thread.",
        [this] { return readings_.workers.queued; });
  gauge("hikyaku_memory_resident_bytes", "Memory that the process has in use.",
        [] { return resident_memory(); });
  gauge("hikyaku_memory_plan_bytes", "What it may plan with (server.memory).",
        [this] { return readings_.memory_plan; });
  gauge("hikyaku_sessions_memory_bytes",
        "What sessions hold for their peers, about (limits.memory).",
        [this] { return readings_.session_memory; });
  gauge("hikyaku_certificate_end_timestamp_seconds",
        "When the first of the certificates ends; 0: there is none.",
        [this] { return readings_.certificate_end; });
  auto started = std::chrono::duration<double>(SystemClock().now().time_since_epoch()).count();
  gauge("hikyaku_start_timestamp_seconds", "When the server was started.",
        [started] { return started; });
}

std::string metrics_markdown(const metrics::Registry& registry) {
  using Type = metrics::Registry::Type;
  std::string out =
      "# Metrics\n\n"
      "What `/metrics` (listen.metrics) and `hikyaku metrics` tell, in Prometheus' text format. "
      "Times are in seconds, sizes in bytes.\nThis file is made by `hikyaku metrics --docs`.\n\n"
      "| name | type | labels | what |\n| --- | --- | --- | --- |\n";
  for (auto& one : registry.describe()) {
    auto type = one.type == Type::Counter ? "counter"
                : one.type == Type::Gauge ? "gauge"
                                          : "histogram";
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} |\n", one.name, type,
                   join(one.labels, ", "), one.help);
  }
  return out;
}

}  // namespace hikyaku::app
