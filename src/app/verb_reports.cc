// hikyaku reports dmarc | failure
#include <algorithm>
#include <fmt/core.h>

#include "app/progress.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/text_width.h"
#include "app/verbs.h"
#include "base/text.h"
#include "dmarc/problem.h"
#include "reports/sender.h"

namespace hikyaku::app {
namespace {

using boost::json::object;

constexpr Phrase kNothingToSend{"There is nothing to report.", "報告することはありません。"};
constexpr Phrase kNoReports{
    "No reports of that time. Others send them once a day to the address that the DMARC record "
    "names: `hikyaku domain records DOMAIN`.",
    "その期間の報告はありません。報告は、DMARC レコードに書いた宛先へ一日に一度届きます: "
    "`hikyaku domain records DOMAIN`。"};
constexpr Phrase kNoFailures{
    "No failure reports of that time. Others send them only for a domain whose DMARC record asks "
    "for them (ruf=mailto:ADDRESS; fo=1: for every failing check), and few do at all: `hikyaku "
    "reports failure --help`.",
    "その期間の失敗報告はありません。DMARC レコードで求めたドメイン(ruf=mailto:宛先、fo=1 "
    "なら不合格のたび)についてだけ送られ、送るサーバーも多くありません: `hikyaku reports failure "
    "--help`。"};
constexpr Counted kMessages{"{} message", "{} messages", "{} 通"};
constexpr Counted kNetworks{"{} network", "{} networks", "{} のネットワーク"};
constexpr Counted kReports{"{} report", "{} reports", "報告 {} 件"};
constexpr Counted kMails{"{} mail", "{} mails", "{} 通"};
constexpr Phrase kDomain{"{}: {} to {}, {} ({} by {})", "{}: {} から {} まで、{}、{}({})"};
constexpr Phrase kNobodyNamed{"nobody who gives a name", "名乗らない報告者"};
constexpr Phrase kPassed{"{} pass DMARC ({}), {} fail; published: p={}",
                         "DMARC に合格 {} 通({})、不合格 {} 通。公開中の方針: p={}"};
constexpr Counted kLeftOut{"{} record of these reports cannot be read and is not counted.",
                           "{} records of these reports cannot be read and are not counted.",
                           "これらの報告の記録 {} 件は読めないため数えていません。"};
constexpr Phrase kLegend{"{} pass, {} fail", "{} 合格、{} 不合格"};
constexpr Phrase kUnsigned{
    "These sources are yours and unsigned: {}. Give them a DKIM key (`hikyaku domain dkim`): when "
    "their mail is forwarded, only a signature still speaks for it.",
    "自分のものなのに DKIM 署名がない送信元: {}。鍵を用意してください(`hikyaku domain "
    "dkim`)。転送されたメールの証明になるのは署名だけです。"};
constexpr Phrase kForwarders{
    "Forwarders or mailing lists that change what they pass on, so that your signature does not "
    "hold: {} ({}). There is nothing to do about them; where p=reject is published, such mail is "
    "refused.",
    "内容を変えて送り直すため署名が無効になる転送やメーリングリスト: "
    "{}({})。することはありません。p=reject にすると、そのメールは拒否されます。"};
constexpr Phrase kDoubtful{
    "Your signature is on some of the mail of these networks, and {} of {} prove nothing: {}. That "
    "is a mailing list that changes most of what it passes on, or somebody who sends a letter of "
    "yours again beside forgeries; reports cannot tell which. If you do not know a network as a "
    "list, count it among the forgers: p=reject refuses what proves nothing, from whomever.",
    "自分の署名があるメールも届いていますが、{1}の {0}には何の証明もありません: "
    "{2}。ほとんどを書き換えるメーリングリストか、あなたのメールを 1 通再送しながら偽物を送る者の"
    "どちらかで、報告からは区別できません。メーリングリストとして心当たりがなければ偽物と考えてくだ"
    "さい。"
    "p=reject にすれば、証明のないメールは誰からでも拒否されます。"};
constexpr Phrase kStrangers{
    "Claiming to be yours and proving nothing: {} of {}: {}. If one is yours (a newsletter, a "
    "printer), put it into the SPF record or let it sign; the rest are forgeries and forwarders, "
    "which p=quarantine is for, and after four weeks of it p=reject.",
    "{1}から "
    "{0}が、証明なしに自分のドメインを名乗っています: {2}。自分のもの(メルマガ、複合機など)なら "
    "SPF に加えるか署名させてください。残りは偽物か転送で、p=quarantine、その四週間後に p=reject "
    "の出番です。"};
constexpr Phrase kNothing{
    "No message passed: nothing that is yours was seen. Claiming to be yours: {} of {}: {}. If one "
    "of them is yours, put it into the SPF record or let it sign (`hikyaku domain check {}`) "
    "before anything else.",
    "合格したメールはなく、自分のメールは見られていません。{1}から "
    "{0}が自分のドメインを名乗っています: {2}。その中に自分のものがあれば、まず SPF "
    "に加えるか署名させてください(`hikyaku domain check {3}`)。"};
constexpr Phrase kNothingRejected{
    "No message passed: nothing that is yours was seen. p=reject is published, so these are "
    "refused: {} of {}: {}. If one of them is yours after all, put it into the SPF record or let "
    "it sign (`hikyaku domain check {}`).",
    "合格したメールはなく、自分のメールは見られていません。p=reject を公開しているため、{1}の "
    "{0}は拒否されます: {2}。その中に自分のものがあれば、SPF "
    "に加えるか署名させてください(`hikyaku domain check {3}`)。"};
constexpr Phrase kSafeToQuarantine{
    "Nobody but you sends as {}, and all of it passes: p=quarantine is safe now. After four weeks "
    "of it p=reject is the next step.",
    "{} を名乗るのはあなただけで、すべて合格しています。p=quarantine にしても安全です。p=reject "
    "はその四週間後です。"};
constexpr Phrase kSafeToReject{
    "Nobody but you sends as {0}, and all of it passes, with p=quarantine for four weeks: p=reject "
    "is safe now. If people of {0} write to mailing lists, stay with p=quarantine: lists change "
    "what they pass on, and p=reject has their letters refused.",
    "{0} を名乗るのはあなただけで、p=quarantine の四週間すべて合格しています。p=reject "
    "にしても安全です。ただし {0} の人がメーリングリストに投稿するなら、p=quarantine "
    "のままにしてください。リストは内容を書き換えるため、p=reject では投稿が拒否されます。"};
constexpr Phrase kMoreOfNone{
    "What is yours passes. Wait until the reports cover four weeks before you publish "
    "p=quarantine; after four weeks of that comes p=reject.",
    "自分のメールは合格しています。p=quarantine にする前に、四週間分の報告を待ちましょう。p=reject "
    "はさらに四週間後です。"};
constexpr Phrase kMoreOfQuarantine{
    "What is yours passes. Wait until the reports cover four weeks of p=quarantine before you "
    "publish p=reject.",
    "自分のメールは合格しています。p=reject にする前に、p=quarantine "
    "での四週間分の報告を待ちましょう。"};
constexpr Phrase kComplete{"p=reject is published and what is yours passes: nothing to do.",
                           "p=reject を公開済みで、自分のメールは合格しています。することは"
                           "ありません。"};

constexpr Phrase kUnread{
    "{} to the address for reports could not be read. The newest came on {} from <{}>: {}",
    "報告の宛先に届いた {}は読めませんでした。最新は {} の <{}> から: {}"};
constexpr Counted kUnproved{"{} report is not counted", "{} reports are not counted",
                            "報告 {} 件を数えていません"};
constexpr Phrase kNewestUnproved{
    "{}: nothing proves who sent it. The newest came on {}, about {}, and calls its sender \"{}\": "
    "{} (`hikyaku trace {}`).",
    "{}: 差出人の証明がないためです。最新は {}、{} について、送信元の名乗りは「{}」: {}(`hikyaku "
    "trace {}`)。"};
constexpr Phrase kReporterUnproved{"{} (unproved)", "{}(証明なし)"};
constexpr Counted kBounces{"{} report of ours did not arrive", "{} reports of ours did not arrive",
                           "こちらからの報告 {} 件が届きませんでした"};
constexpr Phrase kBounced{"{}. The newest on {}, at {}, whom {} names: {}",
                          "{}。最新は {}、宛先 {}({} が指定): {}"};
constexpr Phrase kARecord{"the DMARC record of {} (rua or ruf)",
                          "{} の DMARC レコード(rua か ruf)"};
constexpr Phrase kSomeRecord{"somebody's DMARC record", "どこかの DMARC レコード"};

constexpr std::string_view kFull = "█";
constexpr std::string_view kEmpty = "░";

std::string repeated(std::string_view what, std::size_t times) {
  std::string text;
  for (; times > 0; --times) text += what;
  return text;
}

std::string list_in(const object& item, std::string_view name) {
  std::string text;
  auto found = item.find(name);
  if (found == item.end() || !found->value().is_array()) return text;
  for (auto& one : found->value().as_array()) {
    if (!text.empty()) text += ", ";
    text += printable(std::string_view(one.as_string()), 80);
  }
  return text;
}

/// `text` in at most `width` columns.
std::string fitted(std::string_view text, std::size_t width) {
  auto shown = printable(text, 200);
  while (columns(shown) > width) {
    shown.pop_back();
    while (!shown.empty() && (static_cast<unsigned char>(shown.back()) & 0xC0) == 0x80)
      shown.pop_back();
    if (columns(shown) < width) {
      shown += "…";
      break;
    }
  }
  return padded(shown, width);
}

/// One domain as a chart: items come one by one, and are drawn together.
class Chart {
 public:
  explicit Chart(Terminal& terminal) : terminal_(terminal) {}

  void add(const object& item) {
    auto kind = text_in(item, "kind");
    if (kind == "domain") {
      draw();
      domain_ = item;
    } else if (kind == "source") {
      sources_.push_back(item);
    } else if (kind == "advice") {
      advice_.push_back(item);
    } else if (kind == "unread") {
      if (unread_++ == 0) newest_unread_ = item;
    } else if (kind == "unproved") {
      if (unproved_++ == 0) newest_unproved_ = item;
    } else if (kind == "bounce") {
      if (bounces_++ == 0) newest_bounce_ = item;
    }
  }

  void draw_unread() {
    auto language = terminal_.language();
    if (unproved_ > 0) draw_unproved();
    if (unread_ > 0)
      terminal_.say(
          kUnread, counted(language, kMails, unread_),
          text_in(newest_unread_, "time").substr(0, 10),
          printable(text_in(newest_unread_, "mail_from"), 100),
          printable(dmarc::problem_in(text_in(newest_unread_, "problem"), terminal_.language()),
                    200));
    if (bounces_ == 0) return;
    auto domain = printable(text_in(newest_bounce_, "domain"), 255);
    auto record = domain.empty() ? say(language, kSomeRecord) : say(language, kARecord, domain);
    terminal_.say(kBounced, counted(language, kBounces, bounces_),
                  text_in(newest_bounce_, "time").substr(0, 10),
                  printable(text_in(newest_bounce_, "to"), 200), record,
                  printable(text_in(newest_bounce_, "problem"), 200));
  }

  /// The last domain; false if there was none.
  bool finish() {
    draw();
    return count_ > 0;
  }

 private:
  void draw_unproved() {
    auto language = terminal_.language();
    auto& newest = newest_unproved_;
    auto state = reports::parse_sender_state(text_in(newest, "why"))
                     .value_or(reports::Sender::State::Unchecked);
    terminal_.say(kNewestUnproved, counted(language, kUnproved, unproved_),
                  text_in(newest, "time").substr(0, 10), printable(text_in(newest, "domain"), 255),
                  printable(text_in(newest, "organization"), 100),
                  say(language, reports::explain(state), printable(text_in(newest, "from"), 255)),
                  text_in(newest, "message"));
  }

  void draw() {
    if (!domain_) return;
    if (count_++ > 0) terminal_.out("\n");
    auto& domain = *domain_;
    auto language = terminal_.language();
    auto messages = number_in(domain, "messages");
    auto passed = number_in(domain, "passed");
    auto reporters = fitted_list(list_in(domain, "reporters"));
    if (reporters.empty()) reporters = kNobodyNamed.in(language);
    terminal_.paragraph(terminal_.toned(
        Tone::Strong,
        say(language, kDomain, printable(text_in(domain, "domain"), 255), text_in(domain, "first"),
            text_in(domain, "last"), counted(language, kMessages, messages),
            counted(language, kReports, number_in(domain, "reports")), reporters)));
    auto policy = text_in(domain, "policy");
    terminal_.paragraph(say(language, kPassed, grouped(passed), percent(passed, messages),
                            grouped(messages - passed), policy.empty() ? "?" : policy));
    if (auto left_out = number_in(domain, "left_out"); left_out > 0)
      terminal_.paragraph(counted(language, kLeftOut, left_out));
    draw_sources();
    for (auto& advice : advice_) draw_advice(advice);
    domain_.reset();
    sources_.clear();
    advice_.clear();
  }

  static std::string fitted_list(std::string text) {
    if (text.size() > 200) text = std::string(utf8_prefix(text, 200)) + "…";
    return text;
  }

  void draw_sources() {
    if (sources_.empty()) return;
    auto width = terminal_.width();
    std::uint64_t largest = 1;
    std::size_t names = 8, counts = 1;
    for (auto& source : sources_) {
      largest = std::max(largest, number_in(source, "messages"));
      names = std::max(names, columns(label_of(source)));
      counts = std::max(counts, grouped(number_in(source, "messages")).size());
    }
    names = std::min(names, std::max<std::size_t>(width * 45 / 100, 12));
    // Name, bar, count, percentage, and blanks between them.
    auto taken = names + counts + 6 + 9;
    auto bars = width > taken + 5 ? width - taken : 5;
    terminal_.out("\n");
    for (auto& source : sources_) draw_source(source, names, bars, counts, largest);
    terminal_.out("  " +
                  terminal_.toned(Tone::Faint, say(terminal_.language(), kLegend, kFull, kEmpty)) +
                  "\n\n");
  }

  static std::string label_of(const object& source) {
    auto name = text_in(source, "name");
    auto network = text_in(source, "network");
    // The network first: it is what the advice names, and a long name may be cut.
    return name.empty() ? network : fmt::format("{} {}", network, name);
  }

  void draw_source(const object& source, std::size_t names, std::size_t bars, std::size_t counts,
                   std::uint64_t largest) {
    auto messages = number_in(source, "messages");
    auto passed = number_in(source, "passed");
    auto scaled = [&](std::uint64_t count) {
      auto size = static_cast<std::size_t>(
          static_cast<double>(count) / static_cast<double>(largest) * static_cast<double>(bars));
      return count > 0 ? std::max<std::size_t>(size, 1) : 0;
    };
    auto whole = std::min(scaled(messages), bars);
    auto good = passed == messages ? whole : std::min(scaled(passed), whole > 0 ? whole - 1 : 0);
    auto bar = terminal_.toned(Tone::Good, repeated(kFull, good)) +
               terminal_.toned(Tone::Bad, repeated(kEmpty, whole - good)) +
               std::string(bars - whole, ' ');
    terminal_.out(fmt::format("  {}  {}  {:>{}}  {:>6}\n", fitted(label_of(source), names), bar,
                              grouped(messages), counts, percent(passed, messages)));
  }

  void draw_advice(const object& advice) {
    auto kind = text_in(advice, "advice");
    auto sources = list_in(advice, "sources");
    if (number_in(advice, "count") > 20) sources += ", …";
    auto domain = printable(text_in(*domain_, "domain"), 255);
    auto published = text_in(*domain_, "policy");
    auto rejecting = published == "reject";
    auto language = terminal_.language();
    auto messages = counted(language, kMessages, number_in(advice, "messages"));
    auto networks = counted(language, kNetworks, number_in(advice, "count"));
    if (kind == "nothing-passes")
      terminal_.say(rejecting ? kNothingRejected : kNothing, messages, networks, sources, domain);
    else if (kind == "unsigned")
      terminal_.say(kUnsigned, sources);
    else if (kind == "forwarders")
      terminal_.say(kForwarders, sources, messages);
    else if (kind == "doubtful")
      terminal_.say(kDoubtful, messages, networks, sources);
    else if (kind == "strangers")
      terminal_.say(kStrangers, messages, networks, sources);
    else if (kind == "safe-to-quarantine")
      terminal_.say(kSafeToQuarantine, domain);
    else if (kind == "safe-to-reject")
      terminal_.say(kSafeToReject, domain);
    else if (kind == "more-reports")
      terminal_.say(published == "quarantine" ? kMoreOfQuarantine : kMoreOfNone);
    else if (kind == "complete")
      terminal_.say(kComplete);
  }

  Terminal& terminal_;
  std::optional<object> domain_;
  std::vector<object> sources_, advice_;
  object newest_unread_, newest_unproved_, newest_bounce_;
  std::uint64_t unread_ = 0, unproved_ = 0, bounces_ = 0;
  std::size_t count_ = 0;
};

boost::json::object arguments(const Invocation& invocation) {
  return {{"domain", json_text(invocation.value("--domain").value_or(""))},
          {"since", json_text(invocation.value("--since").value_or(""))},
          {"most", invocation.number("--most", 20)}};
}

struct StateWord {
  std::string_view state;
  Phrase word;
};
constexpr StateWord kStates[] = {{"waiting", {"waiting", "待機中"}},
                                 {"sent", {"sent", "送信済み"}},
                                 {"unwanted", {"unwanted", "送信不要"}},
                                 {"failed", {"failed", "失敗"}}};

std::string state_in(const boost::json::object& item, Language language) {
  auto state = text_in(item, "state");
  auto known = std::ranges::find(kStates, std::string_view(state), &StateWord::state);
  return known == std::end(kStates) ? state : std::string(known->word.in(language));
}

Exit send_now(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  ItemList rows(invocation, terminal,
                {{"DOMAIN", "ドメイン"},
                 {"DAY", "日"},
                 {"MESSAGES", "通数"},
                 {"STATE", "状態"},
                 {"TO", "宛先"},
                 {"WHY", "理由"}},
                [&](auto& item) -> std::vector<std::string> {
                  return {text_in(item, "domain"),
                          text_in(item, "day"),
                          std::to_string(number_in(item, "messages")),
                          state_in(item, terminal.language()),
                          text_in(item, "to"),
                          dmarc::problem_in(text_in(item, "problem"), terminal.language())};
                });
  auto answer = commands.run("reports.send", arguments(invocation),
                             {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kNothingToSend);
  return Exit::Ok;
}

Exit run_dmarc(const Invocation& invocation, Terminal& terminal) {
  if (invocation.has("--send-now")) return send_now(invocation, terminal);
  Commands commands(invocation, terminal);
  ItemList list(invocation, terminal, {}, {});
  Chart chart(terminal);
  auto answer = commands.run("reports.dmarc", arguments(invocation), {.item = [&](auto& item) {
                               if (invocation.json())
                                 list.add(item);
                               else
                                 chart.add(item);
                             }});
  if (!answer) return commands.report(answer.error());
  if (invocation.json())
    list.finish(kNoReports);
  else if (!chart.finish())
    terminal.say(kNoReports);
  chart.draw_unread();
  return Exit::Ok;
}

/// Delivery-Result (RFC 6591 §3.2.2).
struct Became {
  std::string_view result;
  Phrase word;
};
constexpr Became kBecame[] = {{"delivered", {"delivered", "配達"}},
                              {"spam", {"spam", "迷惑メール"}},
                              {"policy", {"policy", "方針による"}},
                              {"reject", {"reject", "拒否"}},
                              {"other", {"other", "その他"}}};

std::string became(const object& item, Language language) {
  auto result = text_in(item, "result");
  auto known = std::ranges::find(kBecame, std::string_view(result), &Became::result);
  return known == std::end(kBecame) ? result : std::string(known->word.in(language));
}

/// The domain that is proved; else what the report says, and that nothing proves it.
std::string reporter_in(const object& item, Language language) {
  auto reporter = text_in(item, "reporter");
  auto state = reports::parse_sender_state(text_in(item, "proof"));
  if (!state) return reporter;  // it came before that was looked at
  if (*state == reports::Sender::State::Proved) return text_in(item, "reporter_domain");
  return say(language, kReporterUnproved, reporter);
}

Exit run_failure(const Invocation& invocation, Terminal& terminal) {
  Commands commands(invocation, terminal);
  ItemList rows(invocation, terminal,
                {{"TIME (UTC)", "時刻 (UTC)"},
                 {"FROM", "差出人"},
                 {"SOURCE", "送信元"},
                 {"FAILED", "不合格"},
                 {"BECAME", "結果"},
                 {"SUBJECT", "件名"},
                 {"REPORTED BY", "報告者"}},
                [&](auto& item) -> std::vector<std::string> {
                  return {minute_of(text_in(item, "time")),
                          text_in(item, "from"),
                          text_in(item, "source"),
                          text_in(item, "failure"),
                          became(item, terminal.language()),
                          text_in(item, "subject"),
                          reporter_in(item, terminal.language())};
                });
  auto answer = commands.run("reports.failure", arguments(invocation),
                             {.item = [&](auto& item) { rows.add(item); }});
  if (!answer) return commands.report(answer.error());
  rows.finish(kNoFailures);
  return Exit::Ok;
}

const OptionSpec kDomainOption{
    .name = "--domain",
    .value = "D",
    .help = {"only this domain and what is below it", "このドメインとその下だけ"}};
const OptionSpec kSinceOption{
    .name = "--since",
    .value = "T",
    .help = {"a date, or how far back: 7d, 90d (30d)", "日付、またはさかのぼる長さ: 7d、90d(30d)"}};

OptionSpec most_option(Phrase help) {
  return {.name = "--most", .value = "N", .help = help, .least = 1, .most = 10'000};
}

}  // namespace

Verb verb_reports_dmarc() {
  return {
      .name = "reports dmarc",
      .group = Group::Mail,
      .summary = {"shows who sends as your domains, passing or failing, as others report it",
                  "自分のドメインを名乗る送信元と合否を、届いた報告から示す"},
      .details =
          {"Other servers report once a day to the address that the DMARC record names "
           "(dmarc.report_address). Sources are networks with the name of their busiest "
           "address; below stands what to do next. A report is counted when its mail is shown to "
           "come "
           "from the domain that it names (DMARC); what is not stands below. --send-now is about "
           "our own reports to "
           "others: the running server sends what is recorded up to now, without waiting "
           "for the end of the day.",
           "ほかのサーバーは、DMARC レコードの宛先(dmarc.report_address)へ一日に一度報告を"
           "送ります。送信元はネットワークごとに、いちばん多く送ったアドレスの名前で示し、"
           "次にすることを添えます。数えるのは、差出人のドメインが証明された報告だけです(DMARC)。"
           "ほかは下に示します。--send-now は他者への報告で、動いているサーバーが、"
           "一日の終わりを待たず、今までの記録を送ります。"},
      .options = {kDomainOption,
                  kSinceOption,
                  most_option({"so many networks of each domain (20)",
                               "ドメインごとのネットワークの数(20)"}),
                  {.name = "--send-now",
                   .help = {"send our reports to others now", "他者への報告を今すぐ送る"}}},
      .examples = {{"hikyaku reports dmarc", {"the last 30 days", "最近 30 日"}},
                   {"hikyaku reports dmarc --domain example.org --since 90d",
                    {"one domain, a quarter", "一つのドメインの三か月"}},
                   {"hikyaku reports dmarc --send-now --domain example.net",
                    {"tell example.net what is recorded about it",
                     "example.net について記録したことを送る"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run_dmarc,
  };
}

Verb verb_reports_failure() {
  return {
      .name = "reports failure",
      .group = Group::Mail,
      .summary = {"lists single messages that failed as yours, as others report them",
                  "自分のドメインを名乗って不合格になった個々のメールの報告を一覧表示する"},
      .details = {"Few servers send such reports (RFC 9991, ARF), since they tell about single "
                  "messages. They come only when the domain's DMARC record asks for them: add "
                  "ruf=mailto: and the address that rua= has already (dmarc.report_address), and "
                  "fo=1 to hear of every check that fails, not only of messages that fail as a "
                  "whole. Newest first; \"unproved\" says that nothing shows who reports. Whether "
                  "this server sends such reports to others is set by "
                  "dmarc.failure_reports.",
                  "個々のメールについての報告(RFC 9991、ARF)を送るサーバーは多くありません。"
                  "届くのは、ドメインの DMARC レコードで求めた場合だけです: ruf=mailto: に rua= "
                  "と同じ宛先(dmarc.report_address)を書き、全体としての不合格だけでなく個々の検査の"
                  "不合格も知りたければ fo=1 "
                  "を加えてください。新しい順。「証明なし」は差出人が証明されていない報告です。この"
                  "サーバーから他者へ"
                  "送るかどうかは dmarc.failure_reports で決めます。"},
      .options = {kDomainOption, kSinceOption,
                  most_option({"at most so many (20)", "最大の件数(20)"})},
      .examples = {{"hikyaku reports failure --since 7d", {"the last week", "最近一週間"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run_failure,
  };
}

}  // namespace hikyaku::app
