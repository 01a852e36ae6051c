#include "transmit/connector.h"

#include <fmt/core.h>

#include "net/connect.h"

namespace hikyaku::transmit {
namespace {

using client::SmtpClient;

class Connector {
 public:
  Connector(const ConnectSettings& settings, const net::ClientTls& tls, OpenStreams& streams,
            Log log)
      : settings_(settings), tls_(tls), streams_(streams), log_(std::move(log)) {}

  Task<Connection> run(const Route& route) {
    int tried = 0;
    connection_.permanent = true;
    for (auto& host : route.hosts) {
      for (auto& address : host.addresses) {
        // A hostile zone must not keep a worker for days.
        if (tried++ == kMaxAddresses) co_return std::move(connection_);
        if (co_await settles(host, address)) co_return std::move(connection_);
        connection_.permanent &= permanent_;
      }
    }
    co_return std::move(connection_);
  }

 private:
  /// Tries one address. True when no other is to be tried.
  Task<bool> settles(const Host& host, const IpAddress& address) {
    if (streams_.closing() || connection_.aborted) {
      connection_.aborted = true;
      co_return true;
    }
    permanent_ = false;
    co_return co_await try_address(host, address, UseTls::WhenOffered);
  }

  enum class UseTls { WhenOffered, Never };

  std::optional<IpAddress> source_for(const IpAddress& address) const {
    for (auto& source : settings_.source_addresses) {
      if (source.is_v4() == address.is_v4()) return source;
    }
    return std::nullopt;
  }

  void failed(std::string_view result, smtp::EnhancedStatus status, std::string problem) {
    connection_.findings.push_back(
        {"host", std::string(result),
         fmt::format("{} [{}]: {}", connection_.host, connection_.endpoint, problem)});
    connection_.status = status;
    connection_.problem = std::move(problem);
  }

  Task<Result<std::unique_ptr<net::Stream>>> open(Endpoint endpoint) const {
    auto source = source_for(endpoint.address);
    if (settings_.open) return settings_.open(endpoint, source, settings_.connect_timeout);
    return net::connect(endpoint, source, settings_.connect_timeout);
  }

  /// True when connection_ is ready for messages.
  Task<bool> try_address(const Host& host, const IpAddress& address, UseTls use_tls) {
    Endpoint endpoint{address, settings_.port};
    connection_.host = host.name;
    connection_.endpoint = endpoint.to_string();
    auto opened = co_await unless_cancelled(streams_.cancellation(), open(endpoint));
    if (!opened) {
      connection_.aborted = true;
      co_return false;
    }
    auto& stream = *opened;
    if (!stream) {
      failed("unreachable", {4, 4, 1}, stream.error().text);
      co_return false;
    }
    auto client = std::make_unique<SmtpClient>(std::move(*stream), settings_.host_name,
                                               settings_.timeouts, observer(host.name));
    auto entry = std::make_unique<OpenStreams::Entry>(streams_, client->stream());
    bool tls_failed = false;
    try {
      auto greeted = co_await client->greet();
      if (!greeted) {
        refused(greeted.error());
        co_await client->quit();
        co_return false;
      }
      if (client->offers().starttls && use_tls == UseTls::WhenOffered) {
        auto secured = co_await client->start_tls(tls_, host.name);
        if (!secured.ok()) {
          auto why =
              secured.tls_error ? secured.tls_error->text : secured.refusal->reply.to_string();
          connection_.findings.push_back(
              {"tls", "failed", fmt::format("{}: {}: sent in clear instead", host.name, why)});
          tls_failed = true;
        }
      } else if (!client->offers().starttls) {
        connection_.findings.push_back(
            {"tls", "not offered",
             fmt::format("{} does not offer STARTTLS: sent in clear", host.name)});
      }
    } catch (const net::Disconnected& gone) {
      connection_.aborted = gone.why() == net::Disconnected::Why::Shutdown;
      failed("lost", {4, 4, 2}, gone.what());
      co_return false;
    }
    if (tls_failed) {
      entry.reset();
      client.reset();
      co_return co_await try_address(host, address, UseTls::Never);
    }
    entry->in_use();
    connection_.entry = std::move(entry);
    connection_.client = std::move(client);
    co_return true;
  }

  /// The dialogue for the log; nothing when nobody wants to see it.
  client::Observer observer(std::string_view host) const {
    if (!log_.enabled(LogLevel::Trace)) return {};
    return [log = log_.with({{"mx", host}})](bool by_client, std::string_view line) {
      log.trace(by_client ? "transmit.say" : "transmit.hear", {{"line", line}});
    };
  }

  void refused(const SmtpClient::Refusal& refusal) {
    auto judgement = smtp::judge(refusal.stage, refusal.reply);
    permanent_ = judgement.meaning == smtp::Meaning::Permanent;
    failed("refused", judgement.status, refusal.reply.to_string());
  }

  const ConnectSettings& settings_;
  const net::ClientTls& tls_;
  OpenStreams& streams_;
  Log log_;
  Connection connection_;
  bool permanent_ = false;
};

}  // namespace

OpenStreams::Entry::Entry(OpenStreams& table, net::Stream& stream)
    : table_(table), stream_(stream) {
  table_.streams_.emplace(&stream, false);
  if (table_.closing()) stream.shut_down();
}

OpenStreams::Entry::~Entry() {
  table_.streams_.erase(&stream_);
}

void OpenStreams::Entry::in_use() {
  table_.streams_[&stream_] = true;
}

void OpenStreams::close_unused() {
  closing_.cancel();
  for (auto& [stream, used] : streams_)
    if (!used) stream->shut_down();
}

void OpenStreams::close_all() {
  closing_.cancel();
  for (auto& [stream, used] : streams_) stream->shut_down();
}

Task<Connection> connect_to(const Route& route, const ConnectSettings& settings,
                            const net::ClientTls& tls, OpenStreams& streams, Log log) {
  Connector connector(settings, tls, streams, std::move(log));
  co_return co_await connector.run(route);
}

}  // namespace hikyaku::transmit
