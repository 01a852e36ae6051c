// hikyaku domain check: what the DNS says of a domain, against what it should say.
#include <algorithm>
#include <fmt/core.h>
#include <memory>

#include "app/asked_resolver.h"
#include "app/configured_resolver.h"
#include "app/core.h"
#include "app/dns_records.h"
#include "app/domain_check.h"
#include "app/one_shot_resolver.h"
#include "app/progress.h"
#include "app/run_command.h"
#include "app/verbs.h"
#include "net/cores.h"
#include "smtp/path.h"

namespace hikyaku::app {
namespace {

using Level = DomainFinding::Level;

constexpr Phrase kLevels[] = {
    {"good", "良好"}, {"note", "注意"}, {"problem", "問題"}, {"unchecked", "未確認"}};
constexpr Tone kTones[] = {Tone::Good, Tone::Warning, Tone::Bad, Tone::Plain};
constexpr Phrase kTtl{"TTL {} s", "TTL {} 秒"};
constexpr Phrase kAllGood{"All is well with {}.", "{} はすべて正常です。"};
constexpr Phrase kProblems{"Problems with {}: {}.", "{} の問題: {} 件。"};
constexpr Phrase kNotes{"No problems with {}; look at the notes above ({}).",
                        "{} に問題はありません。上の注意 ({} 件) をご覧ください。"};
constexpr Phrase kNoDns{
    "no DNS server answers, so nothing can be said of {}: is there a network? To ask another "
    "server: "
    "--dns ADDRESS, or for good dns.resolver in hikyaku.toml",
    "どの DNS サーバーも応答しないため、{} "
    "について何も分かりません。ネットワークはつながっていますか? "
    "別のサーバーに問い合わせるには --dns アドレス、常にそうするには hikyaku.toml の dns.resolver"};

/// nullopt: nobody answers.
using Found = std::optional<std::vector<DomainFinding>>;

/// `named`: what --zone or --dns name, if they are there.
Result<Found> ask(OneShotResolver* named, const config::Config& config, const DomainToCheck& wanted,
                  Terminal& terminal) {
  auto language = terminal.language();
  SystemClock clock;
  if (named) {
    auto findings = named->run([&] { return check_domain(named->get(), clock, wanted, language); });
    if (named->is_unreachable()) return std::nullopt;
    return findings;
  }
  net::Cores cores(1);
  TRY(auto resolver, ConfiguredResolver::create(cores, config));
  cores.start();
  AskedResolver asked(resolver->get(), dns_probe(resolver->get(), config.dns.resolver));
  auto findings = [&] {
    Waiting waiting(terminal, kAskingDns);
    return cores.run(0, [&] { return check_domain(asked, clock, wanted, language); });
  }();
  cores.stop();
  cores.join();
  if (asked.is_unreachable()) return std::nullopt;
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
  DomainToCheck wanted{.domain = *domain,
                       .host_name = config->server.host_name,
                       .addresses = published_addresses(*config),
                       .port_base = config->listen.port_base,
                       .has_reverse = !config->server.local,
                       .report_address = config->dmarc.report_address,
                       .keys = {}};
  if (wanted.host_name.empty()) wanted.host_name = machine_name();
  // Root's zone file is read before the store is opened, which is done as the server's user.
  std::unique_ptr<OneShotResolver> named;
  if (invocation.has("--zone") || invocation.has("--dns")) {
    auto made = OneShotResolver::create(invocation, terminal);
    if (!made) return commands.report(made.error());
    named = std::move(*made);
  }
  auto keys = commands.run("dkim.list", {{"domain", json_text(*domain)}},
                           {.item = [&](auto& key) { wanted.keys.push_back(key); }});
  if (!keys) return commands.report(keys.error());
  auto asked = ask(named.get(), *config, wanted, terminal);
  if (!asked) return commands.report(asked.error());
  if (!*asked) {
    terminal.complain(kNoDns, *domain);
    return Exit::TryLater;
  }
  auto& findings = *asked;
  auto count = [&](Level level) {
    return static_cast<std::size_t>(std::ranges::count(*findings, level, &DomainFinding::level));
  };
  auto problems = count(Level::Problem), notes = count(Level::Note);
  if (invocation.json()) {
    print_json(terminal, as_json(*findings, *domain, problems));
  } else {
    show(*findings, terminal);
    terminal.out("\n");
    if (problems > 0)
      terminal.say(kProblems, *domain, problems);
    else if (notes > 0)
      terminal.say(kNotes, *domain, notes);
    else
      terminal.say(kAllGood, *domain);
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
      .details =
          {"MX, the server's addresses and their names, SPF, DKIM, DMARC, and the SRV records by "
           "which mail clients find the server, as the DNS has them now: what is missing, "
           "mistyped, or does not fit this server and its keys, "
           "each with its remedy. The TTL says for how long others may still see what there "
           "is. The exit code is 0 only when there is no problem, 75 when no DNS server "
           "answers. "
           "`hikyaku domain records DOMAIN > FILE` makes a zone for --zone.",
           "MX、サーバーのアドレスと逆引き、SPF、DKIM、DMARC、"
           "メールソフトがサーバーを見つけるための SRV レコードを、いま DNS "
           "にある通りに調べ、欠けているもの、書き誤り、"
           "このサーバーや鍵と合わないものを、直し方とともに示します。TTL "
           "は、変更後も古い内容が見えうる時間です。問題がなければ終了コードは 0、DNS "
           "サーバーが応答しなければ 75 です。--zone のファイルは `hikyaku domain records "
           "DOMAIN > FILE` で作れます。"},
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
