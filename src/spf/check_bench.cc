// What a check costs when every record is in the cache: time and allocations, those of the
// resolver's answers included.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>

#include "base/gate.h"
#include "spf/check.h"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using namespace hikyaku;

/// Answers that are decoded already.
class CachedResolver final : public dns::Resolver {
 public:
  CachedResolver(std::map<std::string, std::string> texts, std::string address)
      : texts_(std::move(texts)), address_(*IpAddress::parse(address)) {}

  Task<dns::Answer<std::string>> txt(std::string name) override {
    dns::Answer<std::string> answer;
    auto found = texts_.find(name);
    answer.status = found == texts_.end() ? dns::Status::NoName : dns::Status::Ok;
    if (answer.ok()) answer.records.push_back(found->second);
    answer.name = std::move(name);
    co_return answer;
  }
  Task<dns::Answer<IpAddress>> a(std::string name) override {
    dns::Answer<IpAddress> answer;
    answer.status = dns::Status::Ok;
    answer.records.push_back(address_);
    answer.name = std::move(name);
    co_return answer;
  }
  Task<dns::Answer<dns::Mx>> mx(std::string name) override {
    dns::Answer<dns::Mx> answer;
    answer.status = dns::Status::Ok;
    answer.records.push_back({10, "mx." + name});
    answer.name = std::move(name);
    co_return answer;
  }
  Task<dns::Answer<IpAddress>> aaaa(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> ptr(IpAddress) override { co_return {}; }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { co_return {}; }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> cname(std::string) override { co_return {}; }

 private:
  std::map<std::string, std::string> texts_;
  IpAddress address_;
};

Task<void> once(dns::Resolver& resolver, const Clock& clock, spf::Query query,
                spf::Result& result) {
  auto verdict = co_await spf::check(resolver, clock, std::move(query));
  result = verdict.result;
}

void measure(const char* name, CachedResolver& resolver) {
  using Now = std::chrono::steady_clock;
  SystemClock clock;
  Gate gate{end_process};
  spf::Result result{};
  std::size_t rounds = 0;
  std::size_t counted = 0;
  std::chrono::duration<double> passed{};
  while (passed.count() < 0.5) {
    spf::Query query;
    query.ip = *IpAddress::parse("192.0.2.25");
    query.helo = "mail.sender.example";
    query.mail_from = "somebody@sender.example";
    auto before = allocations;
    auto begin = Now::now();
    gate.spawn(once(resolver, clock, std::move(query), result));
    passed += Now::now() - begin;
    counted += allocations - before - 2;  // Gate's frame and that of once()
    ++rounds;
  }
  std::printf("%-44s %-9s %7.2f us %6.1f allocations\n", name,
              std::string(to_string(result)).c_str(),
              passed.count() / static_cast<double>(rounds) * 1e6,
              static_cast<double>(counted) / static_cast<double>(rounds));
}

}  // namespace

int main() {
  CachedResolver own({{"sender.example", "v=spf1 ip4:192.0.2.0/24 -all"}}, "192.0.2.25");
  measure("v=spf1 ip4 -all", own);
  CachedResolver mx({{"sender.example", "v=spf1 a:www.sender.example mx -all"}}, "192.0.2.25");
  measure("v=spf1 a mx -all", mx);
  CachedResolver provider(
      {{"sender.example", "v=spf1 include:_spf.provider.example ~all"},
       {"_spf.provider.example",
        "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 ip4:192.0.2.0/24 ~all"}},
      "192.0.2.25");
  measure("an include of a provider with four networks", provider);
  CachedResolver nobody({{"sender.example", "v=spf1 ip4:198.51.100.0/24 exp=e.sender.example -all"},
                         {"e.sender.example", "%{i} may not send for %{d}"}},
                        "192.0.2.25");
  measure("a fail with its explanation", nobody);
  CachedResolver empty({}, "192.0.2.25");
  measure("no record", empty);
  return 0;
}
