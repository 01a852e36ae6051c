// A check against a DNS that says anything at all. The input's first lines are address, HELO and
// MAIL FROM; every other line is an answer that some name gets.
#include <cstdlib>
#include <functional>

#include "base/gate.h"
#include "base/text.h"
#include "dns/resolver.h"
#include "spf/check.h"
#include "spf/explain.h"

namespace {

using namespace hikyaku;

/// Each name and type has one of the lines, always the same.
class AnyResolver final : public dns::Resolver {
 public:
  AnyResolver(std::vector<std::string_view> lines, IpAddress client)
      : lines_(std::move(lines)), client_(client) {}

  Task<dns::Answer<dns::Mx>> mx(std::string name) override {
    return answer<dns::Mx>(name + "/MX", [](std::string_view line) {
      return dns::Mx{static_cast<std::uint16_t>(line.size()), to_lower(line)};
    });
  }
  Task<dns::Answer<IpAddress>> a(std::string name) override { return addresses(name + "/A"); }
  Task<dns::Answer<IpAddress>> aaaa(std::string name) override { return addresses(name + "/6"); }
  Task<dns::Answer<std::string>> txt(std::string name) override {
    return answer<std::string>(name + "/TXT", [](std::string_view l) { return std::string(l); });
  }
  Task<dns::Answer<std::string>> ptr(IpAddress address) override {
    return answer<std::string>(address.to_string(), [](std::string_view l) { return to_lower(l); });
  }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { co_return {}; }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> cname(std::string) override { co_return {}; }

  std::size_t asked = 0;

 private:
  Task<dns::Answer<IpAddress>> addresses(std::string question) {
    return answer<IpAddress>(std::move(question), [this](std::string_view line) {
      return line.size() % 2 ? client_ : IpAddress::parse(line).value_or(IpAddress());
    });
  }

  template <class Record, class Make>
  Task<dns::Answer<Record>> answer(std::string question, Make make) {
    ++asked;
    dns::Answer<Record> found;
    found.status = dns::Status::NoName;
    if (lines_.empty()) co_return found;
    auto hash = std::hash<std::string>()(question);
    auto first = hash % lines_.size();
    if (lines_[first].starts_with('!')) {
      found.status = lines_[first].size() % 2 ? dns::Status::NoRecord : dns::Status::Failed;
      found.problem = lines_[first];
      co_return found;
    }
    found.status = dns::Status::Ok;
    auto count = 1 + (hash >> 8) % 12 * (lines_[first].ends_with('*') ? 1 : 0);
    for (std::size_t i = 0; i < count; ++i)
      found.records.push_back(make(lines_[(first + i) % lines_.size()]));
    co_return found;
  }

  std::vector<std::string_view> lines_;
  IpAddress client_;
};

class FixedClock final : public Clock {
 public:
  Time now() const override { return Time(std::chrono::hours(24 * 365 * 56)); }
};

void require(bool holds) {
  if (!holds) std::abort();
}

void judge(const spf::Verdict& verdict, const spf::Limits& limits, std::size_t asked) {
  using spf::Result;
  bool speaks = verdict.result != Result::None && verdict.result != Result::TempError &&
                verdict.result != Result::PermError;
  require(speaks == (verdict.problem == spf::Problem::None));
  require(speaks == !verdict.mechanism.empty());
  require(verdict.explanation.empty() || verdict.result == Result::Fail);
  require(printable(verdict.explanation, 1000) == verdict.explanation);
  require(printable(verdict.detail, 5000) == verdict.detail);
  require(asked == verdict.lookups.size());
  require(asked <= limits.lookups * (1 + limits.names_per_mx) + 2);
  for (auto& step : verdict.steps) {
    auto& text = verdict.policies.at(step.policy)->text;
    require(step.term.data() >= text.data() &&
            step.term.data() + step.term.size() <= text.data() + text.size());
    require(step.first_lookup + step.lookup_count <= static_cast<int>(verdict.lookups.size()));
  }
}

Task<void> run(AnyResolver& resolver, spf::Query query) {
  static const FixedClock clock;
  spf::Limits limits;
  auto ip = query.ip;
  auto verdict = co_await spf::check(resolver, clock, std::move(query), limits);
  judge(verdict, limits, resolver.asked);
  auto copy = verdict;
  verdict = {};
  for (auto language : {Language::English, Language::Japanese}) {
    require(is_utf8(spf::summary(copy, ip, language)));
    require(is_utf8(spf::details(copy, language)));
  }
  require(is_utf8(spf::describe_json(copy)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto lines = split({reinterpret_cast<const char*>(data), size}, '\n');
  if (lines.size() < 3) return 0;
  spf::Query query;
  query.ip = IpAddress::parse(lines[0]).value_or(IpAddress());
  query.helo = lines[1];
  query.mail_from = lines[2];
  lines.erase(lines.begin(), lines.begin() + 3);
  AnyResolver resolver(std::move(lines), query.ip);
  Gate gate{end_process};
  require(gate.spawn(run(resolver, std::move(query))));
  require(gate.running() == 0);
  return 0;
}
