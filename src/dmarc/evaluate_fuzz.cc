// DMARC and the addresses of its reports against a DNS that says anything at all. The input's first
// line is what From says, the second what passed ("SPF-DOMAIN DKIM-DOMAIN …", "-" and "!" for
// none and for a temporary error); every other line is a record: a name, or "*" for any, and its
// text. What begins with "!" cannot be asked in a world that is damaged: there nothing may come out
// that is harsher than, or otherwise than, in the whole one, but that it could not be told.
#include <cstdlib>
#include <functional>

#include "base/gate.h"
#include "base/text.h"
#include "dmarc/evaluate.h"
#include "dmarc/explain.h"
#include "dmarc/report_address.h"
#include "dns/name.h"
#include "dns/resolver.h"

namespace hikyaku::dmarc {
namespace {

enum class World { Whole, Damaged };

/// Each name has the lines that begin with it, else one of those for any, always the same.
class AnyResolver final : public dns::Resolver {
 public:
  AnyResolver(const std::vector<std::string_view>& lines, World world)
      : lines_(lines), world_(world) {}

  Task<dns::Answer<std::string>> txt(std::string name) override {
    co_return answer<std::string>(name, [](std::string_view text) { return std::string(text); });
  }
  Task<dns::Answer<IpAddress>> a(std::string name) override {
    co_return answer<IpAddress>(name, [](std::string_view) { return IpAddress(); });
  }
  Task<dns::Answer<IpAddress>> aaaa(std::string) override { co_return {}; }
  Task<dns::Answer<dns::Mx>> mx(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> ptr(IpAddress) override { co_return {}; }
  Task<dns::Answer<dns::Tlsa>> tlsa(std::string) override { co_return {}; }
  Task<dns::Answer<dns::Srv>> srv(std::string) override { co_return {}; }
  Task<dns::Answer<std::string>> cname(std::string) override { co_return {}; }

  std::size_t asked = 0;

 private:
  struct Line {
    bool damaged = false;
    std::string_view name, text;
  };
  static Line read(std::string_view line) {
    Line read{line.starts_with('!'), {}, {}};
    if (read.damaged) line.remove_prefix(1);
    auto space = std::min(line.find(' '), line.size());
    read.name = line.substr(0, space);
    read.text = line.substr(std::min(space + 1, line.size()));
    return read;
  }

  std::vector<Line> lines_of(const std::string& name) const {
    std::vector<Line> own, any;
    for (auto line : lines_) {
      auto one = read(line);
      if (one.name == "*") any.push_back(one);
      if (iequals(one.name, name)) own.push_back(one);
    }
    auto place = std::hash<std::string>()(name) % (any.size() + 1);
    if (own.empty() && place < any.size()) own.push_back(any[place]);
    return own;
  }

  template <class Record, class Make>
  dns::Answer<Record> answer(const std::string& name, Make make) {
    ++asked;
    dns::Answer<Record> found;
    found.name = name;
    found.status = dns::Status::NoName;
    for (auto& line : lines_of(name)) {
      found.status = dns::Status::Ok;
      found.records.push_back(make(line.text));
      if (!line.damaged || world_ == World::Whole) continue;
      found.status = dns::Status::Failed;
      found.records.clear();
      found.problem = line.text;
      break;
    }
    return found;
  }

  const std::vector<std::string_view>& lines_;
  World world_;
};

struct Found {
  spf::Verdict spf;
  std::vector<dkim::Verdict> dkim;
};

Found read_found(std::string_view line) {
  Found found;
  auto words = split(line, ' ');
  auto spf = words.empty() ? std::string_view("-") : words.front();
  found.spf.domain = spf.substr(spf.starts_with('!') ? 1 : 0);
  found.spf.result = spf == "-"             ? spf::Result::None
                     : spf.starts_with('!') ? spf::Result::TempError
                                            : spf::Result::Pass;
  for (std::size_t i = 1; i < words.size(); ++i) {
    auto& signature = found.dkim.emplace_back();
    auto failed = words[i].starts_with('!');
    signature.domain = words[i].substr(failed ? 1 : 0);
    signature.result = failed ? dkim::Result::TempError : dkim::Result::Pass;
  }
  return found;
}

void require(bool holds) {
  if (!holds) std::abort();
}

/// An identifier that is aligned is of the author's organisation, or the same name.
void judge(const Identifier& identifier, const Outcome& outcome) {
  auto& author = outcome.discovery.author_domain;
  if (identifier.aligned != true || identifier.domain == author) return;
  auto& organization = outcome.organizational_domain;
  require(identifier.mode == Alignment::Relaxed && organization.has_value());
  require(dns::is_within(identifier.domain, *organization) &&
          dns::is_within(author, *organization));
}

void judge(const Verdict& verdict) {
  auto& outcomes = verdict.outcomes;
  if (!verdict.author.is_plain()) require(verdict.result != Result::Pass);
  if (verdict.result == Result::Pass) require(!outcomes.empty());
  if (verdict.result != Result::Fail) require(verdict.policy() == Policy::None);
  for (auto& outcome : outcomes) {
    auto& discovery = outcome.discovery;
    auto found = discovery.state == Discovery::State::Found;
    auto aligned = outcome.spf_aligned || outcome.dkim_aligned;
    if (verdict.result == Result::Pass) require(outcome.result == Result::Pass);
    require((outcome.result == Result::Pass) == (found && aligned));
    if (outcome.result == Result::Fail) require(found);
    if (discovery.state == Discovery::State::TempError)
      require(outcome.result == Result::TempError);
    require(discovery.effective <= discovery.published);
    if (found) require(dns::is_within(discovery.author_domain, discovery.policy_domain));
    for (auto& identifier : outcome.identifiers) judge(identifier, outcome);
  }
  for (auto language : {Language::English, Language::Japanese}) {
    require(is_utf8(summary(verdict, language)));
    require(is_utf8(details(verdict, language)));
  }
  require(is_utf8(describe_json(verdict)));
}

/// What was found out with less is the same, or that it could not be found out.
void compare(const Verdict& less, const Verdict& whole) {
  require(less.result == Result::TempError || less.result == whole.result);
  require(less.policy() <= whole.policy());
}

bool may_go(const Authorization& found) {
  return found.state == Authorization::State::SameOrganization ||
         found.state == Authorization::State::Authorized;
}

Task<Authorization> ask(AnyResolver& dns, const std::string& domain, const ReportUri& uri,
                        ReportKind kind) {
  auto before = dns.asked;
  auto found = co_await authorize(dns, domain, uri, kind);
  require(dns.asked - before <= 2 * kWalkQueries + 1);
  require(may_go(found) == !found.mailboxes.empty());
  for (auto& mailbox : found.mailboxes) require(mailbox.ends_with('@' + uri.host));
  co_return found;
}

Task<void> judge_addresses(AnyResolver& whole, AnyResolver& damaged, const Verdict& verdict) {
  for (auto& outcome : verdict.outcomes) {
    auto& domain = outcome.discovery.policy_domain;
    auto& record = outcome.discovery.record;
    if (!record) continue;
    for (auto kind : {ReportKind::Aggregate, ReportKind::Failure}) {
      auto list = kind == ReportKind::Aggregate ? record->rua() : record->ruf();
      for (auto& uri : parse_report_uris(list, 4)) {
        if (!uri.is_mail()) continue;
        auto less = co_await ask(damaged, domain, uri, kind);
        auto all = co_await ask(whole, domain, uri, kind);
        require(less.state == Authorization::State::Unknown ||
                (less.state == all.state && less.mailboxes == all.mailboxes));
      }
    }
  }
}

Task<void> run(const std::vector<std::string_view>& lines, Author author, const Found& found) {
  constexpr EvaluateLimits kUsual, kNone{.questions = 100'000};
  AnyResolver whole(lines, World::Whole), damaged(lines, World::Damaged), few(lines, World::Whole);
  Evidence evidence{&found.spf, &found.dkim};
  auto all = co_await evaluate(whole, author, evidence, kNone);
  auto less = co_await evaluate(damaged, author, evidence, kNone);
  auto usual = co_await evaluate(few, author, evidence, kUsual);
  require(few.asked <= kUsual.questions);
  for (auto* verdict : {&all, &less, &usual}) judge(*verdict);
  compare(less, all);
  compare(usual, all);
  for (auto& outcome : all.outcomes)
    if (auto exists = outcome.discovery.author_exists)
      require(*exists == !(co_await whole.a(outcome.discovery.author_domain)).absent());
  co_await judge_addresses(whole, damaged, all);
}

}  // namespace
}  // namespace hikyaku::dmarc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  using namespace hikyaku::dmarc;
  auto lines = split({reinterpret_cast<const char*>(data), size}, '\n');
  if (lines.size() < 2) return 0;
  auto author = read_author(lines[0]);
  auto found = read_found(lines[1]);
  lines.erase(lines.begin(), lines.begin() + 2);
  Gate gate{end_process};
  require(gate.spawn(run(lines, std::move(author), found)));
  require(gate.running() == 0);
  return 0;
}
