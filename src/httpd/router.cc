#include <algorithm>

#include "base/text.h"
#include "httpd/server.h"

namespace hikyaku::httpd {

void Router::add(std::string path, Handler handler, std::vector<std::string> methods) {
  routes_.push_back({std::move(path), std::move(methods), std::move(handler)});
}

const Router::Route* Router::find(std::string_view path) const {
  auto found = std::ranges::find(routes_, path, &Route::path);
  return found == routes_.end() ? nullptr : &*found;
}

std::string_view Router::name_of(const http::Request& request) const {
  auto route = find(request.path);
  return route ? std::string_view(route->path) : "other";
}

Task<http::Response> Router::answer(const http::Request& request) const {
  auto route = find(request.path);
  if (!route) co_return http::plain(404, "there is nothing here");
  if (std::ranges::find(route->methods, request.method) == route->methods.end()) {
    auto refusal = http::plain(405, "not with this method");
    refusal.fields.push_back({"Allow", join(route->methods, ", ")});
    co_return refusal;
  }
  co_return co_await route->handler(request);
}

Metrics::Metrics(metrics::Registry& registry) {
  auto by_class = [&](const char* name) {
    return registry.counter("hikyaku_http_responses_total",
                            "Responses to HTTP requests, by class of their status.",
                            {{"class", name}});
  };
  ok = by_class("2xx");
  client_error = by_class("4xx");
  server_error = by_class("5xx");
  requests = registry.histogram("hikyaku_http_request_seconds",
                                "Time from the end of an HTTP request to its response.",
                                metrics::Unit::Seconds, metrics::kTimes);
}

}  // namespace hikyaku::httpd
