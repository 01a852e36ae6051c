// hikyaku domain check: what the DNS says of a domain, against what it should say.
#include <algorithm>
#include <fmt/core.h>

#include "app/configured_resolver.h"
#include "app/core.h"
#include "app/dns_records.h"
#include "app/domain_check.h"
#include "app/one_shot_resolver.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "net/cores.h"
#include "smtp/path.h"

namespace hikyaku::app {
namespace {

using Level = DomainFinding::Level;

constexpr Phrase kLevels[] = {{"good", "良好"}, {"note", "注意"}, {"problem", "問題"}};
constexpr Tone kTones[] = {Tone::Good, Tone::Warning, Tone::Bad};
constexpr Phrase kTtl{"TTL {} s", "TTL {} 秒"};
constexpr Phrase kAllGood{"All is well with {}.", "{} はすべて正常です。"};
constexpr Phrase kProblems{"Problems with {}: {}.", "{} の問題: {} 件。"};

Result<std::vector<DomainFinding>> ask(const Invocation& invocation, const config::Config& config,
                                       const DomainToCheck& wanted, Language language) {
  SystemClock clock;
  if (invocation.has("--zone") || invocation.has("--dns")) {
    TRY(auto resolver, OneShotResolver::create(invocation));
    return resolver->run([&] { return check_domain(resolver->get(), clock, wanted, language); });
  }
  net::Cores cores(1);
  TRY(auto resolver, ConfiguredResolver::create(cores, config));
  cores.start();
  auto findings =
      cores.run(0, [&] { return check_domain(resolver->get(), clock, wanted, language); });
  cores.stop();
  cores.join();
  return findings;
}

void show(const std::vector<DomainFinding>& findings, Terminal& terminal) {
  auto language = terminal.language();
  for (auto& finding : findings) {
    auto level = static_cast<std::size_t>(finding.level);
    auto title = fmt::format("{} {}", finding.name, finding.type);
    if (finding.ttl.count() > 0)
      title += fmt::format(" ({})", say(language, kTtl, finding.ttl.count()));
    terminal.lines(terminal.toned(kTones[level], kLevels[level].in(language)) + ": " + title +
                   '\n');
    terminal.paragraph(finding.what, 4);
    if (!finding.remedy.empty()) terminal.lines("    -> " + finding.remedy + '\n');
  }
}

boost::json::object as_json(const std::vector<DomainFinding>& findings, const std::string& domain,
                            std::size_t problems) {
  boost::json::array list;
  for (auto& finding : findings)
    list.push_back({{"level", kLevels[static_cast<std::size_t>(finding.level)].en},
                    {"name", json_text(finding.name)},
                    {"type", finding.type},
                    {"ttl", finding.ttl.count()},
                    {"what", json_text(finding.what)},
                    {"remedy", json_text(finding.remedy)}});
  return {{"domain", domain}, {"ok", problems == 0}, {"findings", std::move(list)}};
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  auto domain = smtp::parse_domain(invocation.argument(0), smtp::Characters::Utf8);
  if (!domain) return commands.report(domain.error());
  auto config = load_instance_config(commands.instance(), terminal);
  if (!config) return config.error();
  DomainToCheck wanted{
      .domain = *domain,
      .host_name = config->server.host_name,
      .addresses = config->server.local ? config->listen.addresses : public_addresses(),
      .has_reverse = !config->server.local,
      .report_address = config->dmarc.report_address,
      .keys = {}};
  if (wanted.host_name.empty()) wanted.host_name = machine_name();
  auto keys = commands.run("dkim.list", {{"domain", json_text(*domain)}},
                           {.item = [&](auto& key) { wanted.keys.push_back(key); }});
  if (!keys) return commands.report(keys.error());
  auto findings = ask(invocation, *config, wanted, terminal.language());
  if (!findings) return commands.report(findings.error());
  auto problems = static_cast<std::size_t>(
      std::ranges::count(*findings, Level::Problem, &DomainFinding::level));
  if (invocation.json()) {
    print_json(terminal, as_json(*findings, *domain, problems));
  } else {
    show(*findings, terminal);
    terminal.out("\n");
    if (problems == 0)
      terminal.say(kAllGood, *domain);
    else
      terminal.say(kProblems, *domain, problems);
  }
  return problems == 0 ? Exit::Ok : Exit::Failed;
}

}  // namespace

Verb verb_domain_check() {
  Verb verb{
      .name = "domain check",
      .group = Group::Accounts,
      .summary = {"looks whether a domain's DNS records are as they must be",
                  "ドメインの DNS レコードが正しいか調べる"},
      .details = {"MX, the server's addresses and their names, SPF, DKIM, DMARC, as the DNS has "
                  "them now: what is missing, mistyped, or does not fit this server and its keys, "
                  "each with its remedy. The TTL says for how long others may still see what there "
                  "is. The exit code is 0 only when there is no problem.",
                  "MX、サーバーのアドレスと逆引き、SPF、DKIM、DMARC "
                  "を、いま DNS にある通りに調べ、欠けているもの、書き誤り、"
                  "このサーバーや鍵と合わないものを、直し方とともに示します。TTL "
                  "は、変更後も古い内容が見えうる時間です。問題がなければ終了コードは 0 です。"},
      .arguments = {{"DOMAIN", {"such as example.org", "例: example.org"}}},
      .examples = {{"hikyaku domain check example.org",
                    {"as the world sees it", "外から見える通りに"}},
                   {"hikyaku domain check example.org --zone example.org.zone",
                    {"before a zone is published", "公開前のゾーンファイルを調べる"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
  for (auto& option : resolver_options()) verb.options.push_back(std::move(option));
  return verb;
}

}  // namespace hikyaku::app
