// The HTTP server: what it needs, its routes, and the coroutine that serves one connection.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/activity.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "base/time.h"
#include "http/request.h"
#include "http/response.h"
#include "net/stream.h"

namespace hikyaku::httpd {

/// One listener's settings; outlives its sessions.
struct Settings {
  http::RequestLimits limits;
  milliseconds idle_timeout = std::chrono::seconds(60);     ///< between two requests
  milliseconds request_timeout = std::chrono::seconds(30);  ///< for all of one, and its answer
  std::uint32_t max_requests = 1000;                        ///< on one connection
};

/// Answers one request. Throws nothing but net::Disconnected.
using Handler = std::function<Task<http::Response>(const http::Request&)>;

/// Which handler has which path. Filled before the first connection.
class Router {
 public:
  /// For GET and HEAD (or other methods) of exactly this path.
  void add(std::string path, Handler handler, std::vector<std::string> methods = {"GET", "HEAD"});

  /// What the request gets; 404 and 405 (with Allow, RFC 9110 §15.5.6) are answered here.
  Task<http::Response> answer(const http::Request& request) const;
  /// The path if there is such a route, else "other": for counting.
  std::string_view name_of(const http::Request& request) const;

 private:
  struct Route {
    std::string path;
    std::vector<std::string> methods;
    Handler handler;
  };
  const Route* find(std::string_view path) const;
  std::vector<Route> routes_;
};

/// What is counted.
struct Metrics {
  Metrics() = default;
  explicit Metrics(metrics::Registry& registry);
  metrics::Counter ok, client_error, server_error;  ///< by class of the response
  metrics::Histogram requests;
};

/// All of it outlives the sessions.
struct Services {
  const Router& router;
  const Clock& clock;
  const Metrics* metrics = nullptr;
  Activity* activity = nullptr;  ///< of this session alone
};

/// Serves one connection to its end. Never throws.
Task<void> serve(std::unique_ptr<net::Stream> stream, const Settings& settings, Services services,
                 Log log);

}  // namespace hikyaku::httpd
