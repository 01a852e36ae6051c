// hikyaku dmarc.
#include "app/cli.h"
#include "app/needed_options.h"
#include "app/one_shot_message.h"
#include "app/one_shot_resolver.h"
#include "app/verbs.h"
#include "arc/problem.h"
#include "arc/verifier.h"
#include "base/json.h"
#include "base/text.h"
#include "dkim/explain.h"
#include "dkim/verifier.h"
#include "dmarc/disposition.h"
#include "dmarc/explain.h"
#include "spf/check.h"
#include "spf/explain.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kTwoMessages{"--message {} and {}: one message at a time",
                              "--message {} と {}: 一度に一通だけです"};
constexpr Phrase kNoAddress{"--ip {}: this is no IPv4 or IPv6 address",
                            "--ip {}: IPv4 でも IPv6 でもないアドレスです"};
constexpr Phrase kNoSignature{"DKIM: none: the message is not signed",
                              "DKIM: none: 署名がありません"};
constexpr Phrase kIgnored{"DKIM: {} more signatures were not looked at",
                          "DKIM: ほかの {} 個の署名は調べていません"};
constexpr Phrase kSpf{"SPF: {}: {}", "SPF: {}: {}"};
constexpr Phrase kSpfHelo{"SPF (HELO): {}: {}", "SPF (HELO): {}: {}"};
constexpr Phrase kArc{"ARC: {}{}", "ARC: {}{}"};
constexpr Phrase kDecision{"A receiver with the usual settings would {}: {}.",
                           "標準設定の受信側の判断: {}: {}。"};
constexpr Phrase kDeliver{"deliver it", "配送する"};
constexpr Phrase kJunk{"put it into Junk", "迷惑メールに入れる"};
constexpr Phrase kDefer{"ask to send it again later (4xx)", "後で再送を求める (4xx)"};
constexpr Phrase kRefuse{"refuse it (550)", "拒否する (550)"};

const Phrase& phrase_of(dmarc::Action action) {
  switch (action) {
    case dmarc::Action::Deliver:
      return kDeliver;
    case dmarc::Action::Junk:
      return kJunk;
    case dmarc::Action::Defer:
      return kDefer;
    case dmarc::Action::Refuse:
      break;
  }
  return kRefuse;
}

/// Without its angle brackets.
std::string bare_path(std::string path) {
  if (path.starts_with('<') && path.ends_with('>')) return path.substr(1, path.size() - 2);
  return path;
}

/// Everything that a receiver finds out.
struct Findings {
  spf::Verdict mail_from;
  spf::Verdict helo;
  std::vector<dkim::Verdict> signatures;
  std::size_t ignored_signatures = 0;
  arc::Verdict arc;
  dmarc::Verdict verdict;
  dmarc::LegacyOpinion legacy;
  bool has_legacy = false;
  dmarc::Disposition disposition;
};

struct Received {
  OneShotMessage message;
  IpAddress ip;
  std::string mail_from;
  std::string helo;
};

Task<Findings> examine(dns::Resolver& resolver, const Clock& clock, Received received) {
  Findings found;
  spf::Query query;
  query.ip = received.ip;
  query.helo = received.helo;
  query.mail_from = received.mail_from;
  query.identity = spf::Identity::MailFrom;
  found.mail_from = co_await spf::check(resolver, clock, query);
  query.identity = spf::Identity::Helo;
  found.helo = co_await spf::check(resolver, clock, std::move(query));

  auto& message = received.message;
  dkim::VerifyOptions dkim_options;
  dkim_options.now = clock.now();
  dkim::Verifier signatures(std::string(message.header()), dkim_options);
  signatures.body(message.body());
  found.ignored_signatures = signatures.ignored();
  found.signatures = co_await signatures.finish(resolver);
  arc::VerifyOptions arc_options;
  arc_options.now = clock.now();
  arc::Verifier chain(std::string(message.header()), arc_options);
  chain.body(message.body());
  found.arc = co_await chain.finish(resolver);

  dmarc::Evidence evidence{&found.mail_from, &found.signatures};
  found.verdict =
      co_await dmarc::evaluate(resolver, dmarc::find_author(message.header()), evidence);
  if (found.verdict.author.is_plain()) {
    dmarc::PublicSuffixes suffixes;
    found.legacy = co_await dmarc::legacy_opinion(resolver, suffixes,
                                                  found.verdict.author.domains.front(), evidence);
    found.has_legacy = true;
  }
  dmarc::Circumstances circumstances;
  circumstances.spf_mail_from = found.mail_from.result;
  circumstances.spf_helo = found.helo.result;
  found.disposition = dmarc::decide(found.verdict, circumstances, {});
  co_return found;
}

std::string json_of(const Findings& found) {
  JsonWriter json;
  json.begin_object().member("result", dmarc::to_string(found.verdict.result));
  json.key("dmarc").raw(dmarc::describe_json(found.verdict));
  json.key("spf").raw(spf::describe_json(found.mail_from));
  json.key("spf_helo").raw(spf::describe_json(found.helo));
  json.key("dkim").begin_array();
  for (auto& signature : found.signatures) dkim::describe_json(json, signature);
  json.end_array();
  json.key("arc")
      .begin_object()
      .member("result", dkim::to_string(found.arc.result))
      .member("problem", found.arc.problem)
      .end_object();
  json.key("decision")
      .begin_object()
      .member("action", dmarc::to_string(found.disposition.action))
      .member("why", found.disposition.describe(Language::English));
  json.key("speaks_for").begin_array();
  for (auto reason : found.disposition.speaks_for) json.value(dmarc::to_string(reason));
  json.end_array().key("override");
  if (found.disposition.overridden)
    json.value(dmarc::to_string(found.disposition.overridden->type));
  else
    json.null();
  json.end_object();
  json.key("rfc7489");
  if (found.has_legacy && found.legacy.differs_from(found.verdict))
    json.begin_object()
        .member("result", dmarc::to_string(found.legacy.result))
        .member("policy", dmarc::to_string(found.legacy.policy))
        .member("organizational_domain", found.legacy.organizational_domain)
        .member("percent", found.legacy.percent)
        .end_object();
  else
    json.null();
  return json.end_object().take();
}

void tell_signatures(const Findings& found, Terminal& terminal) {
  if (found.signatures.empty()) terminal.say(kNoSignature);
  for (auto& signature : found.signatures)
    terminal.lines("DKIM: " + dkim::summary(signature, terminal.language()) + '\n');
  if (found.ignored_signatures > 0) terminal.say(kIgnored, found.ignored_signatures);
}

void tell(const Findings& found, const IpAddress& ip, const OneShotResolver& resolver, bool explain,
          Terminal& terminal) {
  auto language = terminal.language();
  auto& verdict = found.verdict;
  // The first word is for programs.
  terminal.out(std::string(dmarc::to_string(verdict.result)) + '\n');
  terminal.paragraph(dmarc::summary(verdict, language));
  terminal.say(kSpf, to_string(found.mail_from.result),
               spf::summary(found.mail_from, ip, language));
  terminal.say(kSpfHelo, to_string(found.helo.result), spf::summary(found.helo, ip, language));
  tell_signatures(found, terminal);
  if (found.arc.result != dkim::Result::None)
    terminal.say(kArc, dkim::to_string(found.arc.result),
                 found.arc.problem.empty()
                     ? ""
                     : ": " + printable(arc::problem_in(found.arc.problem, language)));
  terminal.say(kDecision, phrase_of(found.disposition.action).in(language),
               found.disposition.describe(language));
  if (found.has_legacy)
    if (auto difference = dmarc::describe_difference(found.legacy, verdict, language);
        !difference.empty())
      terminal.paragraph(difference);
  terminal.lines('\n' + dmarc::details(verdict, language));
  if (explain)
    terminal.lines('\n' + spf::details(found.mail_from, language) + '\n' +
                   spf::details(found.helo, language));
  tell_questions(resolver, terminal);
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto file = invocation.value("--message");
  if (!invocation.arguments().empty()) {
    if (file) {
      terminal.complain(kTwoMessages, *file, invocation.argument(0));
      return Exit::Usage;
    }
    file = invocation.argument(0);
  }
  auto ip = invocation.value("--ip");
  auto mail_from = invocation.value("--mail-from");
  auto helo = invocation.value("--helo");
  auto missing = file ? complain_of_missing(invocation, {"--ip", "--mail-from", "--helo"}, terminal)
                      : complain_of_missing(
                            invocation, {"--message", "--ip", "--mail-from", "--helo"}, terminal);
  if (missing) return *missing;
  auto address = IpAddress::parse(*ip);
  if (!address) {
    terminal.complain(kNoAddress, *ip);
    return Exit::Data;
  }
  auto message = read_message(*file);
  if (!message) return report(message.error(), terminal);
  auto resolver = OneShotResolver::create(invocation);
  if (!resolver) return report(resolver.error(), terminal);

  Received received{*std::move(message), *address, bare_path(*mail_from), *helo};
  SystemClock clock;
  auto found =
      (*resolver)->run([&] { return examine((*resolver)->get(), clock, std::move(received)); });
  if (auto unreachable = (*resolver)->complain_if_unreachable(terminal)) return *unreachable;
  if (invocation.json())
    terminal.out(json_of(found) + '\n');
  else
    tell(found, *address, **resolver, invocation.has("--explain"), terminal);
  return Exit::Ok;
}

}  // namespace

Verb verb_dmarc() {
  Verb verb{
      .name = "dmarc",
      .group = Group::Tools,
      .summary = {"tells what a receiver makes of a message: SPF, DKIM, ARC, DMARC, and why",
                  "受信側がメッセージをどう判断するか (SPF、DKIM、ARC、DMARC) とその理由を示す"},
      .details =
          {"The first line is DMARC's result: pass, fail, none, temperror or permerror. Then "
           "follow what that means, what SPF and each signature say, what a receiver with the "
           "usual settings would do (as far as the message alone tells), and every question "
           "that was asked of the DNS.",
           "1 行目は DMARC の結果です: pass、fail、none、temperror、permerror。その後に、"
           "その意味、SPF と各署名の結果、標準設定の受信側の判断 (メッセージだけから分かる範囲)、"
           "DNS への各問い合わせを示します。"},
      .arguments = {{"FILE",
                     {"the message, as with --message", "メッセージ。--message と同じ"},
                     ArgumentSpec::Count::Optional}},
      .options =
          {
              {.name = "--message",
               .value = "FILE",
               .help = {"the message; - for standard input", "メッセージ。- は標準入力"}},
              {.name = "--ip",
               .value = "A",
               .help = {"the address of the sending host", "送信ホストのアドレス"}},
              {.name = "--mail-from",
               .value = "F",
               .help = {"the sender of the envelope (MAIL FROM); \"\" for bounces",
                        "エンベロープの送信者 (MAIL FROM)。バウンスは \"\""}},
              {.name = "--helo",
               .value = "H",
               .help = {"the name in HELO or EHLO", "HELO または EHLO の名前"}},
              {.name = "--explain",
               .help = {"also print every term of SPF that was tried",
                        "調べた SPF の各項目も表示する"}},
          },
      .examples = {{"hikyaku dmarc --message letter.eml --ip 192.0.2.1 --mail-from "
                    "anna@example.org --helo mail.example.org",
                    {"what a receiver would decide", "受信側がどう判断するか"}}},
      .has_json = true,
      .run = run,
  };
  for (auto& option : resolver_options()) verb.options.push_back(std::move(option));
  return verb;
}

}  // namespace hikyaku::app
