#include "app/names_needed.h"

namespace hikyaku::app {

bool needs_dns(const config::Config& config) {
  return !config.server.local || !config.dns.zone_file.empty() || !config.dns.resolver.empty();
}

Task<std::string> resolver_problem(dns::Resolver& resolver, std::string host_name) {
  auto answer = co_await resolver.a(std::move(host_name));
  if (!answer.failed()) co_return std::string();
  co_return answer.problem.empty() ? "no answer" : answer.problem;
}

}  // namespace hikyaku::app
