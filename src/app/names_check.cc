#include "app/names_check.h"

#include <fmt/core.h>
#include <optional>

#include "app/configured_resolver.h"
#include "app/names_needed.h"
#include "app/progress.h"
#include "base/text.h"
#include "dmarc/policy.h"
#include "dns/resolver.h"
#include "net/cores.h"
#include "unbound/resolver.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kDnsFailed{"{} of {} could not be looked up: {}",
                            "{1} の {0} を調べられません: {2}"};
constexpr Phrase kDnssecWorks{"the DNS answers, and with the signatures of DNSSEC",
                              "DNS は応答し、DNSSEC の署名も届いています"};
constexpr Phrase kDnssecBroken{
    "the DNS answers without valid signatures (DNSSEC), so every lookup fails: {}. Set another "
    "dns.resolver, or none",
    "DNS の応答に有効な署名 (DNSSEC) がなく、すべての問い合わせが失敗します: {}。別の dns.resolver "
    "を設定するか、設定を外してください"};
constexpr Phrase kDnsSilent{
    "the DNS does not answer: {}. Set dns.resolver, or open the way to port 53",
    "DNS が応答しません: {}。dns.resolver を設定するか、ポート 53 への通信を許可してください"};
constexpr Phrase kNoMx{"{} has no MX record: publish {}",
                       "{} に MX レコードがありません。公開: {}"};
constexpr Phrase kOtherMx{"the MX of {} is {}, not this server ({})",
                          "{} の MX は {} で、このサーバー ({}) ではありません"};
constexpr Phrase kMxGood{"mail for {} comes here", "{} 宛てのメールはここに届きます"};
constexpr Phrase kNoSpf{"{} has no SPF record: publish {}",
                        "{} に SPF レコードがありません。公開: {}"};
constexpr Phrase kSpfGood{"{} has an SPF record: {}", "{} に SPF レコードがあります: {}"};
constexpr Phrase kNoDmarc{"{} has no DMARC record: publish {}",
                          "{} に DMARC レコードがありません。公開: {}"};
constexpr Phrase kDmarcGood{"{} has a DMARC record: {}", "{} に DMARC レコードがあります: {}"};
constexpr Phrase kNoAddress{"{} (server.host_name) has no address: publish an A record",
                            "{} (server.host_name) "
                            "にアドレスがありません。A レコードを公開してください"};
constexpr Phrase kNoReverse{
    "{} does not lead back to {}: set its PTR record, or others refuse the "
    "mail",
    "{} の逆引きが {} になりません。PTR "
    "レコードを設定しないと、メールを拒否されます"};
constexpr Phrase kReverseGood{"{} and {} lead to each other", "{} と {} は互いに引けます"};

class NamesCheck {
 public:
  NamesCheck(Findings& findings, const config::Config& config, const std::string& host_name,
             dns::Resolver& dns)
      : findings_(findings), config_(config), host_name_(host_name), dns_(dns) {}

  /// Whether there is any use in asking it for names.
  Task<bool> dns_server(unbound::Resolver& outside) {
    auto test = co_await outside.self_test();
    switch (test.result) {
      case unbound::SelfTest::Result::Works:
        findings_.add(Level::Good, "dns", kDnssecWorks);
        co_return true;
      case unbound::SelfTest::Result::Off:
        co_return true;
      case unbound::SelfTest::Result::Breaks:
        dns_fails_ = true;
        findings_.add(Level::Problem, "dns", kDnssecBroken, test.problem);
        break;
      case unbound::SelfTest::Result::NoAnswer:
        dns_fails_ = true;
        findings_.add(Level::Problem, "dns", kDnsSilent, test.problem);
        break;
    }
    // What stands in the zone file can be looked at all the same.
    co_return !config_.dns.zone_file.empty();
  }

  Task<void> domain_names(const std::string& domain) {
    auto mx = co_await dns_.mx(domain);
    if (mx.failed()) {
      lookup_failed("MX", domain, mx.problem);
      co_return;  // the others would fail alike
    }
    std::string exchanges;
    bool ours = false;
    for (auto& record : mx.records) {
      exchanges += (exchanges.empty() ? "" : ", ") + record.exchange;
      ours |= iequals(record.exchange, host_name_);
    }
    if (mx.records.empty())
      findings_.add(Level::Problem, "dns", kNoMx, domain,
                    fmt::format("{}. IN MX 10 {}.", domain, host_name_));
    else if (!ours)
      findings_.add(Level::Problem, "dns", kOtherMx, domain, exchanges, host_name_);
    else
      findings_.add(Level::Good, "dns", kMxGood, domain);
    co_await policy(domain, "v=spf1", kNoSpf, kSpfGood,
                    fmt::format("{}. IN TXT \"v=spf1 mx -all\"", domain));
    co_await dmarc_policy(domain);
  }

  Task<void> dmarc_policy(const std::string& domain) {
    // That of a domain above may count (RFC 9989 §4.10): p=none here would weaken it.
    dmarc::Walker walker(dns_);
    auto found = co_await dmarc::discover(walker, domain);
    if (found.state == dmarc::Discovery::State::Found && found.policy_domain != domain)
      co_return findings_.add(Level::Good, "dns", kDmarcGood, "_dmarc." + found.policy_domain,
                              fmt::format("p={}", dmarc::to_string(found.effective)));
    co_await policy("_dmarc." + domain, "v=DMARC1", kNoDmarc, kDmarcGood,
                    fmt::format("_dmarc.{}. IN TXT \"v=DMARC1; p=none\"", domain));
  }

  Task<void> own_name() {
    auto problem = co_await resolver_problem(dns_, host_name_);
    if (!problem.empty()) lookup_failed("A", host_name_, problem);
  }

  Task<void> host_names() {
    auto v4 = co_await dns_.a(host_name_);
    auto v6 = co_await dns_.aaaa(host_name_);
    if (v4.failed() || v6.failed()) {
      lookup_failed("A, AAAA", host_name_, v4.failed() ? v4.problem : v6.problem);
      co_return;
    }
    auto addresses = v4.records;
    addresses.insert(addresses.end(), v6.records.begin(), v6.records.end());
    if (addresses.empty()) findings_.add(Level::Problem, "dns", kNoAddress, host_name_);
    for (auto& address : addresses) {
      auto back = co_await dns_.ptr(address);
      bool ours = false;
      for (auto& name : back.records) ours |= iequals(name, host_name_);
      if (back.failed())
        lookup_failed("PTR", address.to_string(), back.problem);
      else if (ours)
        findings_.add(Level::Good, "dns", kReverseGood, host_name_, address.to_string());
      else
        findings_.add(Level::Problem, "dns", kNoReverse, address.to_string(), host_name_);
    }
  }

 private:
  /// Where the DNS as a whole is of no use, that has been said, and is the only problem.
  void lookup_failed(std::string_view type, std::string_view name, const std::string& problem) {
    if (!dns_fails_) findings_.add(Level::Problem, "dns", kDnsFailed, type, name, problem);
  }

  Task<void> policy(std::string name, std::string_view begins, const Phrase& missing,
                    const Phrase& good, std::string remedy) {
    auto answer = co_await dns_.txt(name);
    if (answer.failed()) {
      lookup_failed("TXT", name, answer.problem);
      co_return;
    }
    for (auto& record : answer.records) {
      if (!istarts_with(record, begins)) continue;
      findings_.add(Level::Good, "dns", good, name, printable(record, 200));
      co_return;
    }
    findings_.add(Level::Note, "dns", missing, name, remedy);
  }

  Findings& findings_;
  const config::Config& config_;
  const std::string& host_name_;
  dns::Resolver& dns_;
  bool dns_fails_ = false;
};

}  // namespace

void check_names(Findings& findings, const config::Config& config, const std::string& host_name,
                 const std::vector<std::string>& domains, Terminal& terminal) {
  if (!needs_dns(config)) {
    findings.add(Level::Note, "dns", kNeedsNoDns);
    return;
  }
  net::Cores cores(1);
  auto resolver = ConfiguredResolver::create(cores, config);
  if (!resolver) {
    findings.add(Level::Problem, "dns", resolver.error().describe());
    return;
  }
  cores.start();
  NamesCheck check(findings, config, host_name, (*resolver)->get());
  auto* outside = (*resolver)->outside();
  std::optional<Waiting> waiting(std::in_place, terminal, kAskingDns);
  if (!outside || cores.run(0, [&] { return check.dns_server(*outside); })) {
    for (auto& domain : domains) cores.run(0, [&] { return check.domain_names(domain); });
    // On loopback nobody looks at the way back.
    if (!config.server.local) cores.run(0, [&] { return check.host_names(); });
    // As /health sees it; the other questions may have been answered all the same.
    if (config.server.local) cores.run(0, [&] { return check.own_name(); });
  }
  waiting.reset();
  cores.stop();
  cores.join();
}

}  // namespace hikyaku::app
