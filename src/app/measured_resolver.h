// MeasuredResolver: counts and times the questions to another resolver.
#pragma once

#include "base/metrics.h"
#include "dns/resolver.h"

namespace hikyaku::app {

struct DnsMetrics {
  /// Counts nothing.
  DnsMetrics() = default;
  explicit DnsMetrics(metrics::Registry& registry);

  metrics::Counter found, absent, failed, bogus;
  metrics::Histogram time;
};

class MeasuredResolver final : public dns::Resolver {
 public:
  /// `below` must outlive it.
  MeasuredResolver(dns::Resolver& below, DnsMetrics metrics) : below_(below), metrics_(metrics) {}

  Task<dns::Answer<dns::Mx>> mx(std::string name) override;
  Task<dns::Answer<IpAddress>> a(std::string name) override;
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override;
  Task<dns::Answer<std::string>> txt(std::string name) override;
  Task<dns::Answer<std::string>> ptr(IpAddress address) override;
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string name) override;
  Task<dns::Answer<dns::Srv>> srv(std::string name) override;
  Task<dns::Answer<std::string>> cname(std::string name) override;

 private:
  template <class Record>
  Task<dns::Answer<Record>> measure(Task<dns::Answer<Record>> lookup);

  dns::Resolver& below_;
  DnsMetrics metrics_;
};

}  // namespace hikyaku::app
