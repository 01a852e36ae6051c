// hikyaku dmarc.
#include "app/cli.h"
#include "app/needed_options.h"
#include "app/one_shot_message.h"
#include "app/one_shot_resolver.h"
#include "app/verbs.h"
#include "arc/problem.h"
#include "base/json.h"
#include "base/text.h"
#include "config/load.h"
#include "dkim/explain.h"
#include "dmarc/disposition.h"
#include "dmarc/explain.h"
#include "iprev/problem.h"
#include "net/worker_pool.h"
#include "receive/authentication.h"
#include "receive/refused_forms.h"
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
constexpr Phrase kIgnoredOne{"DKIM: one more signature was not looked at",
                             "DKIM: ほかの 1 個の署名は調べていません"};
constexpr Phrase kSpf{"SPF: {}: {}", "SPF: {}: {}"};
constexpr Phrase kSpfHelo{"SPF (HELO): {}: {}", "SPF (HELO): {}: {}"};
constexpr Phrase kArc{"ARC: {}{}", "ARC: {}{}"};
constexpr Phrase kNamed{"Reverse name: pass: the address has the name {}",
                        "逆引き名: pass: アドレスの名前は {} です"};
constexpr Phrase kNameless{"Reverse name: {}: {}", "逆引き名: {}: {}"};
constexpr Phrase kRefusedForm{
    "A receiver with the usual settings would refuse it whoever sent it ({} {}), before any of "
    "what follows counts: {}.",
    "標準設定の受信側は、誰が送ったかにかかわらず拒否します ({} {})。以下の結果は使われません: "
    "{}。"};
constexpr Phrase kHasNul{"it has a NUL; binary parts must be encoded in base64",
                         "NUL が含まれています。バイナリは base64 で符号化してください"};
constexpr Phrase kHasBareEnd{"it has a bare CR or LF; its lines must end in CR LF",
                             "単独の CR または LF があります。行末は CR LF でなければなりません"};
constexpr Phrase kBeginsFolded{
    "its header begins with a blank: its first line would become part of the field above",
    "ヘッダーが空白で始まっています。先頭の行が上のフィールドの続きになってしまいます"};
constexpr Phrase kLoops{"it has too many Received fields: it goes round in a loop",
                        "Received フィールドが多すぎます。配送がループしています"};
constexpr Phrase kTooLarge{"it is too large", "大きすぎます"};
constexpr Phrase kHeaderTooLong{"its header is too long", "ヘッダーが長すぎます"};
constexpr Phrase kDecision{"A receiver with the usual settings would {}: {}.",
                           "標準設定の受信側の判断: {}: {}。"};
constexpr Phrase kDeliver{"deliver it", "配送する"};
constexpr Phrase kJunk{"put it into Junk", "迷惑メールに入れる"};
constexpr Phrase kDefer{"ask to send it again later (4xx)", "後で再送を求める (4xx)"};
constexpr Phrase kRefuse{"refuse it (550)", "拒否する (550)"};

/// No client waits for a reply, and each question ends by itself: long enough to find out that no
/// server answers at all, which is told instead of a result then.
constexpr std::chrono::minutes kDeadline(2);

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

const Phrase& phrase_of(receive::FormProblem problem) {
  switch (problem) {
    case receive::FormProblem::Nul:
      return kHasNul;
    case receive::FormProblem::BareLineEnd:
      return kHasBareEnd;
    case receive::FormProblem::TooLarge:
      return kTooLarge;
    case receive::FormProblem::HeaderTooLong:
      return kHeaderTooLong;
    case receive::FormProblem::HeaderFolded:
      return kBeginsFolded;
    case receive::FormProblem::Loop:
      break;
  }
  return kLoops;
}

/// Without its angle brackets.
std::string bare_path(std::string path) {
  if (path.starts_with('<') && path.ends_with('>')) return path.substr(1, path.size() - 2);
  return path;
}

struct Received {
  OneShotMessage message;
  IpAddress ip;
  std::string mail_from;
  std::string helo;
};

/// The checks of the server itself, one after another as a message comes in.
Task<receive::SenderFindings> examine(const receive::AuthenticationSettings& settings,
                                      receive::AuthenticationServices services, Received received) {
  auto client = std::make_shared<receive::Client>(settings, services, received.ip);
  client->begins_mail(std::move(received.helo), std::move(received.mail_from));
  receive::Authentication checks(settings, services, client);
  std::string_view bytes = received.message.bytes;
  auto end = std::min(receive::header_end(bytes, 0), bytes.size());
  auto header = receive::take_header(std::string(bytes.substr(0, end)));
  checks.header(header.examined(), true);
  co_await checks.body(bytes.substr(end));
  co_return co_await checks.finish();
}

/// What the server says to it without asking anybody.
using RefusedForm = std::optional<receive::RefusedForm>;

RefusedForm refused_form(const OneShotMessage& message) {
  auto usual = config::defaults();
  return receive::refusal_of_form(
      message.bytes,
      {usual.smtp.max_header.count, usual.smtp.max_received, usual.smtp.max_message_size.count});
}

std::string json_of(const receive::SenderFindings& found, const RefusedForm& refused) {
  JsonWriter json;
  json.begin_object().member("result", dmarc::to_string(found.dmarc.result));
  json.key("dmarc").raw(dmarc::describe_json(found.dmarc));
  json.key("spf").raw(spf::describe_json(found.spf_mail_from));
  json.key("spf_helo").raw(spf::describe_json(found.spf_helo));
  json.key("dkim").begin_array();
  for (auto& signature : found.signatures) dkim::describe_json(json, signature);
  json.end_array();
  json.key("arc")
      .begin_object()
      .member("result", dkim::to_string(found.arc.result))
      .member("problem", found.arc.problem)
      .end_object();
  json.key("iprev")
      .begin_object()
      .member("result", iprev::to_string(found.reverse_name.result))
      .member("name", found.reverse_name.name)
      .member("problem", found.reverse_name.problem)
      .end_object();
  json.key("decision")
      .begin_object()
      .member("action",
              dmarc::to_string(refused ? dmarc::Action::Refuse : found.disposition.action))
      .member("why", refused ? std::string(phrase_of(refused->problem).in(Language::English))
                             : found.disposition.describe(Language::English));
  json.key("refused_unasked");
  if (refused)
    json.value(refused->reply.to_string());
  else
    json.null();
  json.key("speaks_for").begin_array();
  for (auto reason : found.disposition.speaks_for) json.value(dmarc::to_string(reason));
  json.end_array().key("override");
  if (found.disposition.overridden)
    json.value(dmarc::to_string(found.disposition.overridden->type));
  else
    json.null();
  json.end_object();
  json.key("rfc7489");
  if (auto& old = found.old_rules)
    json.begin_object()
        .member("result", dmarc::to_string(old->result))
        .member("policy", dmarc::to_string(old->policy))
        .member("organizational_domain", old->organizational_domain)
        .member("percent", old->percent)
        .end_object();
  else
    json.null();
  return json.end_object().take();
}

void tell_signatures(const receive::SenderFindings& found, Terminal& terminal) {
  if (found.signatures.empty()) terminal.say(kNoSignature);
  for (auto& signature : found.signatures)
    terminal.lines("DKIM: " + dkim::summary(signature, terminal.language()) + '\n');
  if (found.ignored_signatures > 0)
    terminal.say(found.ignored_signatures == 1 ? kIgnoredOne : kIgnored, found.ignored_signatures);
}

void tell_reverse_name(const iprev::Verdict& verdict, Terminal& terminal) {
  if (verdict.passed())
    terminal.say(kNamed, verdict.name);
  else
    terminal.say(kNameless, iprev::to_string(verdict.result),
                 printable(iprev::problem_in(verdict.problem, terminal.language())));
}

void tell(const receive::SenderFindings& found, const RefusedForm& refused,
          const OneShotResolver& resolver, bool explain, Terminal& terminal) {
  auto language = terminal.language();
  auto& verdict = found.dmarc;
  // The first word is for programs.
  terminal.out(std::string(dmarc::to_string(verdict.result)) + '\n');
  if (refused)
    terminal.say(kRefusedForm, refused->reply.code,
                 refused->reply.status.value_or(smtp::EnhancedStatus{}).to_string(),
                 phrase_of(refused->problem).in(language));
  terminal.paragraph(dmarc::summary(verdict, language));
  terminal.say(kSpf, to_string(found.spf_mail_from.result),
               spf::summary(found.spf_mail_from, found.client, language));
  terminal.say(kSpfHelo, to_string(found.spf_helo.result),
               spf::summary(found.spf_helo, found.client, language));
  tell_signatures(found, terminal);
  if (found.arc.result != dkim::Result::None)
    terminal.say(kArc, dkim::to_string(found.arc.result),
                 found.arc.problem.empty()
                     ? ""
                     : ": " + printable(arc::problem_in(found.arc.problem, language)));
  tell_reverse_name(found.reverse_name, terminal);
  if (!refused)
    terminal.say(kDecision, phrase_of(found.disposition.action).in(language),
                 found.disposition.describe(language));
  if (found.old_rules)
    terminal.paragraph(dmarc::describe_difference(*found.old_rules, verdict, language));
  terminal.lines('\n' + dmarc::details(verdict, language));
  if (explain)
    terminal.lines('\n' + spf::details(found.spf_mail_from, language) + '\n' +
                   spf::details(found.spf_helo, language));
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
  auto resolver = OneShotResolver::create(invocation, terminal);
  if (!resolver) return report(resolver.error(), terminal);

  auto refused = refused_form(*message);
  Received received{*std::move(message), *address, bare_path(*mail_from), *helo};
  receive::AuthenticationSettings settings;
  settings.deadline = kDeadline;
  SystemClock clock;
  net::ThreadPool workers(1);
  auto found = (*resolver)->run(
      [&] { return examine(settings, {(*resolver)->get(), clock, workers}, std::move(received)); });
  if (auto unreachable = (*resolver)->complain_if_unreachable(terminal)) return *unreachable;
  if (invocation.json())
    terminal.out(json_of(found, refused) + '\n');
  else
    tell(found, refused, **resolver, invocation.has("--explain"), terminal);
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
           "follow what that means, what SPF and each signature say, whether a name of the "
           "address leads back to it, what a receiver with the usual settings would do, and every "
           "question that was asked of the DNS. Blocklists, and whom a receiver trusts (sealers, "
           "lists, forwarders, exceptions), are settings of each server: they are not looked at.",
           "1 行目は DMARC の結果です: pass、fail、none、temperror、permerror。その後に、"
           "その意味、SPF と各署名の結果、逆引き名がアドレスに戻るか、標準設定の受信側の判断、"
           "DNS への各問い合わせを示します。ブロックリストや、受信側が信頼する相手 (封印者、"
           "メーリングリスト、転送元、例外) はサーバーごとの設定なので、調べません。"},
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
