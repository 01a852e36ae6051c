#include "app/measured_resolver.h"

namespace hikyaku::app {

DnsMetrics::DnsMetrics(metrics::Registry& registry) {
  auto by_outcome = [&](const char* outcome) {
    return registry.counter("hikyaku_dns_lookups_total", "DNS lookups by how they ended.",
                            {{"outcome", outcome}});
  };
  found = by_outcome("found");
  absent = by_outcome("absent");
  failed = by_outcome("failed");
  bogus = by_outcome("bogus");
  time = registry.histogram("hikyaku_dns_lookup_seconds",
                            "Time of DNS lookups; most are answered from the cache.",
                            metrics::Unit::Seconds, metrics::kTimes);
}

template <class Record>
Task<dns::Answer<Record>> MeasuredResolver::measure(Task<dns::Answer<Record>> lookup) {
  dns::Answer<Record> answer;
  {
    metrics::Timer timer(metrics_.time);
    answer = co_await std::move(lookup);
  }
  switch (answer.status) {
    case dns::Status::Ok:
      metrics_.found.add();
      break;
    case dns::Status::NoName:
    case dns::Status::NoRecord:
      metrics_.absent.add();
      break;
    case dns::Status::Failed:
      metrics_.failed.add();
      break;
    case dns::Status::Bogus:
      metrics_.bogus.add();
      break;
  }
  co_return answer;
}

Task<dns::Answer<dns::Mx>> MeasuredResolver::mx(std::string name) {
  return measure(below_.mx(std::move(name)));
}
Task<dns::Answer<IpAddress>> MeasuredResolver::a(std::string name) {
  return measure(below_.a(std::move(name)));
}
Task<dns::Answer<IpAddress>> MeasuredResolver::aaaa(std::string name) {
  return measure(below_.aaaa(std::move(name)));
}
Task<dns::Answer<std::string>> MeasuredResolver::txt(std::string name) {
  return measure(below_.txt(std::move(name)));
}
Task<dns::Answer<std::string>> MeasuredResolver::ptr(IpAddress address) {
  return measure(below_.ptr(address));
}
Task<dns::Answer<dns::Tlsa>> MeasuredResolver::tlsa(std::string name) {
  return measure(below_.tlsa(std::move(name)));
}
Task<dns::Answer<dns::Srv>> MeasuredResolver::srv(std::string name) {
  return measure(below_.srv(std::move(name)));
}
Task<dns::Answer<std::string>> MeasuredResolver::cname(std::string name) {
  return measure(below_.cname(std::move(name)));
}

}  // namespace hikyaku::app
