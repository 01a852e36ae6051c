// What SPF and DMARC of a message cost when every record is in the cache: time and allocations,
// those of the resolver's answers included.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <new>

#include "base/gate.h"
#include "dmarc/evaluate.h"
#include "spf/check.h"

namespace {

/// Allocations of a message whose From, envelope and signature name one domain, as most do.
constexpr double kMost = 20.5;
/// And its time, in microseconds of a processor: what else the machine does counts nothing.
constexpr double kLongest = 30;

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
  explicit CachedResolver(std::map<std::string, std::string> texts) : texts_(std::move(texts)) {}

  Task<dns::Answer<std::string>> txt(std::string name) override {
    dns::Answer<std::string> answer;
    auto found = texts_.find(name);
    answer.status = found == texts_.end() ? dns::Status::NoName : dns::Status::Ok;
    if (answer.ok()) answer.records.push_back(found->second);
    answer.name = std::move(name);
    co_return answer;
  }
  Task<dns::Answer<dns::Mx>> mx(std::string) override { co_return {}; }
  Task<dns::Answer<IpAddress>> a(std::string) override { co_return {}; }
  Task<dns::Answer<IpAddress>> aaaa(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> ptr(IpAddress) override { co_return {}; }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { co_return {}; }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> cname(std::string) override { co_return {}; }

 private:
  std::map<std::string, std::string> texts_;
};

struct Message {
  std::string header;
  spf::Query query;
  std::vector<dkim::Verdict> signatures;
};

struct Cost {
  dmarc::Result result{};
  std::size_t reading = 0;   ///< allocations of find_author
  std::size_t checking = 0;  ///< of SPF and DMARC
};

Task<void> once(dns::Resolver& resolver, const Clock& clock, const Message& message, Cost& cost) {
  auto query = message.query;
  auto before = allocations;
  auto author = dmarc::find_author(message.header);
  cost.reading += allocations - before;
  before = allocations;
  auto spf = co_await spf::check(resolver, clock, std::move(query));
  auto verdict = co_await dmarc::evaluate(resolver, std::move(author), {&spf, &message.signatures});
  cost.checking += allocations - before;
  cost.result = verdict.result;
}

struct PerMessage {
  double microseconds = 0, allocations = 0;
};

/// From, the lookups and the verdict together.
PerMessage measure(const char* name, CachedResolver& resolver, std::string_view author,
                   std::string_view sender, std::string_view signer) {
  Message message;
  message.header = "Received: from a\r\nFrom: Some Body <" + std::string(author) +
                   ">\r\nTo: x@y.test\r\nSubject: hello\r\n\r\n";
  message.query.ip = *IpAddress::parse("192.0.2.25");
  message.query.helo = "mail.sender.example";
  message.query.mail_from = sender;
  dkim::Verdict signature;
  signature.result = dkim::Result::Pass;
  signature.domain = signer;
  message.signatures.push_back(signature);
  SystemClock clock;
  Gate gate{end_process};
  Cost cost;
  std::size_t rounds = 0;
  auto begin = std::clock();
  while (std::clock() - begin < CLOCKS_PER_SEC / 2)
    for (int i = 0; i < 1000; ++i, ++rounds) gate.spawn(once(resolver, clock, message, cost));
  auto time = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  auto count = static_cast<double>(rounds);
  PerMessage one{time / count * 1e6, static_cast<double>(cost.checking + cost.reading) / count};
  std::printf("%-46s %-5s %6.2f us %5.1f allocations, and %.1f to read From\n", name,
              std::string(to_string(cost.result)).c_str(), one.microseconds,
              static_cast<double>(cost.checking) / count,
              static_cast<double>(cost.reading) / count);
  return one;
}

}  // namespace

int main() {
  CachedResolver zone(
      {{"sender.example", "v=spf1 ip4:192.0.2.0/24 -all"},
       {"bounce.sender.example", "v=spf1 ip4:192.0.2.0/24 -all"},
       {"other.example", "v=spf1 ip4:192.0.2.0/24 -all"},
       {"_dmarc.sender.example", "v=DMARC1; p=reject; rua=mailto:d@sender.example"}});
  auto usual = measure("SPF + DMARC, one domain", zone, "a@sender.example", "a@sender.example",
                       "sender.example");
  measure("SPF + DMARC, a subdomain's bounce address", zone, "a@sender.example",
          "a@bounce.sender.example", "sender.example");
  measure("SPF + DMARC, From of a subdomain", zone, "a@news.sender.example", "a@sender.example",
          "sender.example");
  measure("SPF + DMARC, somebody else", zone, "a@sender.example", "a@other.example",
          "other.example");
  measure("SPF + DMARC, no policy", zone, "a@nobody.example", "a@nobody.example", "nobody.example");
  if (usual.allocations > kMost)
    std::printf("More than %.0f allocations for a message of one domain.\n", kMost);
  if (usual.microseconds > kLongest)
    std::printf("More than %.0f us for a message of one domain.\n", kLongest);
  return usual.allocations > kMost || usual.microseconds > kLongest ? 1 : 0;
}
