#include "app/client_records_check.h"

#include <algorithm>
#include <fmt/core.h>

#include "app/dns_records.h"
#include "app/domain_check_internal.h"
#include "base/text.h"
#include "dns/problem.h"

namespace hikyaku::app {
namespace {

using Level = DomainFinding::Level;

constexpr Phrase kMissing{
    "there is no SRV record for {}: mail programs guess where it is, or people have to type it in",
    "{} の SRV "
    "レコードがありません。メールソフトは推測するか、利用者が手で入力することになります"};
constexpr Phrase kDenied{"the record says that the domain has no {}, but this server offers it",
                         "{} はないというレコードですが、このサーバーは提供しています"};
constexpr Phrase kElsewhere{
    "mail programs are sent to {} for {}, which is not this server ({}): people's passwords go "
    "there",
    "{1} のためにメールソフトが {0} へ向かいます。このサーバー ({2}) "
    "ではなく、パスワードもそこへ送られます"};
constexpr Phrase kPort{
    "mail programs are sent to port {} for {}, which this server has on port {}",
    "{1} のためにメールソフトがポート {0} へ向かいますが、このサーバーではポート "
    "{2} です"};
constexpr Phrase kGood{"mail programs find {} at {}, port {}",
                       "メールソフトは {} を {} のポート {} に見つけます"};

class ClientRecords {
 public:
  ClientRecords(dns::Resolver& resolver, DomainToCheck wanted, Language language)
      : dns_(resolver), wanted_(std::move(wanted)), language_(language) {}

  Task<std::vector<DomainFinding>> run() {
    for (auto& service : client_services()) co_await look_for(service);
    co_return std::move(findings_);
  }

 private:
  Task<void> look_for(const ClientService& service) {
    finding_ = {};
    finding_.name = fmt::format("{}._tcp.{}", service.label, wanted_.domain);
    finding_.type = "SRV";
    auto answer = co_await dns_.srv(finding_.name);
    if (answer.failed())
      co_return add(Level::Problem,
                    say(language_, kFailed, dns::problem_in(answer.problem, language_)),
                    std::string(kTryLater.in(language_)));
    auto good = fmt::format("{}. IN SRV {}", finding_.name,
                            srv_record(service, wanted_.host_name, wanted_.port_base));
    if (answer.records.empty()) {
      if (service.is_published)
        add(Level::Note, say(language_, kMissing, service.name), say(language_, kPublish, good));
      co_return;
    }
    finding_.ttl = answer.ttl;
    auto remedy = say(language_, kReplace, good);
    std::vector<bool> ours;
    for (auto& one : answer.records) ours.push_back(co_await leads_here(one.target));
    // A second server beside ours may be meant so.
    auto level = std::ranges::count(ours, true) > 0 ? Level::Note : Level::Problem;
    unsigned port = service.port + wanted_.port_base;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      auto& one = answer.records[i];
      auto target = printable(one.target, 260);
      if (one.target.empty()) {
        if (service.is_published) add(Level::Note, say(language_, kDenied, service.name), remedy);
      } else if (!ours[i]) {
        add(level, say(language_, kElsewhere, target, service.name, wanted_.host_name), remedy);
      } else if (one.port != port) {
        add(Level::Problem, say(language_, kPort, one.port, service.name, port), remedy);
      } else {
        add(Level::Good, say(language_, kGood, service.name, target, port), {});
      }
    }
  }

  /// By name, or by one of its addresses.
  Task<bool> leads_here(std::string target) {
    if (target.empty()) co_return false;
    if (iequals(target, wanted_.host_name)) co_return true;
    auto v4 = co_await dns_.a(target);
    auto v6 = co_await dns_.aaaa(target);
    auto is_ours = [&](const IpAddress& address) {
      return std::ranges::find(wanted_.addresses, address) != wanted_.addresses.end();
    };
    co_return std::ranges::any_of(v4.records, is_ours) || std::ranges::any_of(v6.records, is_ours);
  }

  void add(Level level, std::string what, std::string remedy) {
    finding_.level = level;
    finding_.what = std::move(what);
    finding_.remedy = std::move(remedy);
    findings_.push_back(finding_);
  }

  dns::Resolver& dns_;
  DomainToCheck wanted_;
  Language language_;
  DomainFinding finding_;  ///< the record that is looked at
  std::vector<DomainFinding> findings_;
};

}  // namespace

Task<std::vector<DomainFinding>> check_client_records(dns::Resolver& resolver, DomainToCheck wanted,
                                                      Language language) {
  ClientRecords check(resolver, std::move(wanted), language);
  co_return co_await check.run();
}

}  // namespace hikyaku::app
