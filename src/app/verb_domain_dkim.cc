// hikyaku domain dkim: the keys that a domain's mail is signed with.
#include <algorithm>
#include <array>
#include <fmt/core.h>

#include "app/core.h"
#include "app/dkim_keys.h"
#include "app/dns_records.h"
#include "app/run_command.h"
#include "app/shown_time.h"
#include "app/verbs.h"
#include "base/suggest.h"
#include "base/text.h"
#include "dkim/problem.h"
#include "dkim/signer.h"
#include "dns/problem.h"
#include "smtp/path.h"

namespace hikyaku::app {
namespace {

constexpr Phrase kNone{
    "{0} has no keys: its mail leaves unsigned. Make some: hikyaku domain dkim {0} rotate",
    "{0} には鍵がなく、メールは署名なしで送られます。作るには: hikyaku domain dkim {0} rotate"};
constexpr Phrase kPublish{"Publish in the DNS:", "DNS に公開してください:"};
constexpr Phrase kWaits{
    "The running server looks for the new record and signs with the new key once the DNS has shown "
    "it for as long as its TTL; the old key is retired then. `hikyaku domain dkim {}` tells how "
    "far it is.",
    "サーバーは新しいレコードを DNS で確認し、TTL "
    "の時間が過ぎると新しい鍵で署名を始め、古い鍵を引退させます。`hikyaku domain dkim {}` "
    "で進み具合が分かります。"};
constexpr Phrase kSignsNow{
    "Mail of {} is signed with it from now on. Until the record can be seen everywhere, what it "
    "signs cannot be checked.",
    "以後、{} "
    "のメールはこの鍵で署名されます。レコードが行き渡るまでは、署名を検証できません。"};
constexpr Phrase kActive{"{} signs the mail of {} from now on.",
                         "以後、{1} のメールは {0} で署名されます。"};
constexpr Phrase kRetired{
    "{} signs no more. Leave its record in the DNS until {}: mail signed by it may be on its way. "
    "Then: hikyaku domain dkim {} remove {}",
    "{} ではもう署名しません。署名済みのメールが届き終わる {} まで、レコードを DNS "
    "に残してください。その後: hikyaku domain dkim {} remove {}"};
constexpr Phrase kRemoved{"The key {} is erased. Take its record out of the DNS now: {}. IN TXT",
                          "鍵 {} を消去しました。DNS からレコードを削除してください: {}. IN TXT"};
constexpr Phrase kNoAction{"'{}' is nothing that can be done with keys: {}.",
                           "'{}' という操作はありません: {}。"};
constexpr Phrase kDidYouMean{" Did you mean '{}'?", "'{}' のことですか?"};
constexpr Phrase kNeedsSelector{
    "which key? Name its selector: hikyaku domain dkim {} {} SELECTOR",
    "どの鍵ですか? セレクターを指定してください: hikyaku domain dkim {} {} セレクター"};
constexpr Phrase kUnusable{"{} cannot be used: {}", "{} は使えません: {}"};
constexpr Phrase kTooMany{"'{}' is one word too many.", "'{}' は余分です。"};

constexpr Phrase kNotSeen{"its record has not been seen in the DNS yet",
                          "レコードはまだ DNS で確認されていません"};
constexpr Phrase kNotThere{"its record is not in the DNS yet (next look at {})",
                           "レコードはまだ DNS にありません(次の確認は {})"};
constexpr Phrase kNotAsked{"the DNS could not be asked for its record ({}; next look at {})",
                           "DNS でレコードを確認できません({}。次の確認は {})"};
constexpr Phrase kSinceBut{"signs since {}, but what it signs cannot be checked: {}",
                           "{} から署名中。ただし検証できません: {}"};
constexpr Phrase kSinceUnsure{"signs since {}; whether others can check it is not known: {}",
                              "{} から署名中。検証できる状態かは不明です: {}"};
constexpr Phrase kAllUnsigned{
    "No key of {0} signs: its mail leaves unsigned. A new pair: hikyaku domain dkim {0} rotate; to "
    "let "
    "one sign again: hikyaku domain dkim {0} activate SELECTOR",
    "{0} には署名する鍵がなく、メールは署名なしで送られます。新しい一組を作るには: hikyaku domain "
    "dkim {0} rotate、再び署名させるには: hikyaku domain dkim {0} activate セレクター"};
constexpr Phrase kWaiting{
    "Already waiting for its record: {}. Each takes over when its record is seen; what is not "
    "needed: "
    "hikyaku domain dkim {} remove SELECTOR",
    "すでにレコードを待っている鍵: {}。それぞれ、レコードが確認されると署名を始めます。"
    "不要なものは: hikyaku domain dkim {} remove セレクター"};
constexpr Phrase kSignsFrom{"seen in the DNS; signs from {} on", "DNS で確認済み。{} から署名"};
constexpr Phrase kSince{"signs since {}", "{} から署名中"};
constexpr Phrase kRecordUntil{"its record must stay until {}", "レコードは {} まで残す"};
constexpr Phrase kMayGo{"its record may go: remove it", "レコードは不要: remove で削除可"};
constexpr Phrase kGone{"erased; take its record out of the DNS", "消去済み。DNS のレコードを削除"};

constexpr std::array<std::string_view, 6> kActions{"list",     "rotate", "add",
                                                   "activate", "retire", "remove"};

struct StateWord {
  std::string_view state;
  Phrase word;
};
constexpr StateWord kStates[] = {{"published", {"waiting", "公開待ち"}},
                                 {"active", {"active", "使用中"}},
                                 {"retired", {"retired", "引退"}},
                                 {"gone", {"gone", "消去済み"}}};

std::string state_in(const boost::json::object& key, Language language) {
  auto state = text_in(key, "state");
  auto known = std::ranges::find(kStates, std::string_view(state), &StateWord::state);
  return known == std::end(kStates) ? state : std::string(known->word.in(language));
}

struct Asked {
  const Invocation& invocation;
  Terminal& terminal;
  std::string domain;
  std::string selector;
};

std::string second_of(const std::string& rfc3339) {
  return rfc3339.size() < 19 ? rfc3339 : rfc3339.substr(11, 8) + " UTC";
}

/// Why a record counts as not seen.
std::string unseen(const boost::json::object& key, Language language) {
  auto next = second_of(text_in(key, "next_look"));
  if (next.empty()) return std::string(kNotSeen.in(language));
  auto problem = text_in(key, "problem");
  return problem.empty()
             ? say(language, kNotThere, next)
             : say(language, kNotAsked, printable(dns::problem_in(problem, language), 200), next);
}

/// What is to be known of a key beside its state.
std::string remark(const boost::json::object& key, Language language) {
  auto state = text_in(key, "state");
  if (state == "published") {
    auto from = text_in(key, "signs_from");
    return from.empty() ? unseen(key, language) : say(language, kSignsFrom, minute_in_utc(from));
  }
  if (state == "active") {
    auto since = minute_in_utc(text_in(key, "activated"));
    if (!text_in(key, "seen").empty()) return say(language, kSince, since);
    // Only a look that found nothing tells that nobody sees it.
    auto absent = !text_in(key, "looked").empty() && text_in(key, "problem").empty();
    return say(language, absent ? kSinceBut : kSinceUnsure, since, unseen(key, language));
  }
  if (state == "gone") return std::string(kGone.in(language));
  auto until = text_in(key, "record_until");
  if (until > format_rfc3339(SystemClock().now()))
    return say(language, kRecordUntil, minute_in_utc(until));
  return std::string(kMayGo.in(language));
}

Exit list(const Asked& asked) {
  auto& terminal = asked.terminal;
  Commands commands(asked.invocation, terminal);
  ItemList rows(asked.invocation, terminal,
                {{"SELECTOR", "セレクター"}, {"KEY", "鍵"}, {"STATE", "状態"}},
                [&](auto& key) -> std::vector<std::string> {
                  return {text_in(key, "selector"), text_in(key, "algorithm"),
                          state_in(key, terminal.language())};
                });
  // Sentences, which a column has no room for.
  std::vector<std::string> remarks;
  std::size_t keys = 0, active = 0;
  auto answer = commands.run(
      "dkim.list", {{"domain", json_text(asked.domain)}}, {.item = [&](auto& item) {
        ++keys;
        active += text_in(item, "state") == "active";
        rows.add(item);
        remarks.push_back(text_in(item, "selector") + ": " + remark(item, terminal.language()));
      }});
  if (!answer) return commands.report(answer.error());
  auto en = say(Language::English, kNone, asked.domain);
  auto ja = say(Language::Japanese, kNone, asked.domain);
  rows.finish({en, ja});
  if (!asked.invocation.json())
    for (auto& line : remarks) terminal.paragraph(line);
  if (keys > 0 && active == 0 && !asked.invocation.json()) terminal.say(kAllUnsigned, asked.domain);
  return Exit::Ok;
}

/// What --algorithm, --selector and --key ask for.
Result<std::vector<WantedDkimKey>> wanted_key(const Asked& asked) {
  WantedDkimKey wanted;
  if (asked.invocation.value("--algorithm") == "ed25519") wanted.type = crypto::KeyType::Ed25519;
  wanted.selector = to_lower(asked.selector);
  if (auto file = asked.invocation.value("--key")) {
    TRY(auto bytes, read_file(*file));
    auto pem = crypto::Secret::take(std::move(bytes));
    auto key = crypto::PrivateKey::from_pem(pem.reveal());
    if (!key) {
      auto language = asked.terminal.language();
      return fail(
          key.error().code, "{}",
          say(language, kUnusable, *file, dkim::problem_in(key.error().describe(), language)));
    }
    TRY_DO(dkim::check_signing_key({asked.domain, "s", *key}));
    wanted.key = std::move(*key);
  }
  std::vector<WantedDkimKey> all;
  all.push_back(std::move(wanted));
  return all;
}

/// The selectors of keys that wait for their records.
std::string waiting_keys(Commands& commands, const std::string& domain) {
  std::string selectors;
  auto answer = commands.run("dkim.list", {{"domain", json_text(domain)}}, {.item = [&](auto& key) {
                               if (text_in(key, "state") != "published") return;
                               selectors +=
                                   (selectors.empty() ? "" : ", ") + text_in(key, "selector");
                             }});
  return answer ? selectors : std::string();
}

Exit make(const Asked& asked, std::vector<WantedDkimKey> wanted) {
  auto& terminal = asked.terminal;
  Commands commands(asked.invocation, terminal);
  auto config = load_instance_config(commands.instance(), terminal);
  if (!config) return config.error();
  auto made = NewDkimKeys::make(commands.instance().dkim, asked.domain, std::move(wanted),
                                key_file_owner(*config));
  if (!made) return commands.report(made.error());
  auto now = asked.invocation.has("--now");
  Handover waiting;
  auto done = keeping_rights(*config, [&] {
    waiting.give(waiting_keys(commands, asked.domain));
    auto answer = commands.run(
        "dkim.add", {{"domain", json_text(asked.domain)}, {"keys", made->rows()}, {"active", now}});
    return answer ? Exit::Ok : commands.report(answer.error());
  });
  if (done != Exit::Ok) return done;
  made->keep();
  std::vector<DnsRecord> records;
  boost::json::array shown;
  for (auto& row : made->rows()) {
    auto& key = row.get_object();
    records.push_back(dkim_record(text_in(key, "selector") + "._domainkey." + asked.domain,
                                  text_in(key, "record")));
    auto one = key;
    one["name"] = text_in(key, "selector") + "._domainkey." + asked.domain;
    one["state"] = now ? "active" : "published";
    shown.push_back(std::move(one));
  }
  if (asked.invocation.json()) {
    print_json(terminal, shown);
    return Exit::Ok;
  }
  terminal.say(kPublish);
  terminal.out(to_zone_text(records, terminal.language()));
  terminal.say(now ? kSignsNow : kWaits, asked.domain);
  if (auto others = waiting.take(); !others.empty())
    terminal.say(kWaiting, printable(others, 500), asked.domain);
  return Exit::Ok;
}

void tell_retired(const Asked& asked, const boost::json::object& key) {
  asked.terminal.say(kRetired, asked.selector, minute_in_utc(text_in(key, "record_until")),
                     asked.domain, asked.selector);
  if (!flag_in(key, "signs")) asked.terminal.say(kAllUnsigned, asked.domain);
}

/// Changes one key, and says what it is then.
Exit change(const Asked& asked, std::string_view action) {
  auto& terminal = asked.terminal;
  Commands commands(asked.invocation, terminal);
  auto config = load_instance_config(commands.instance(), terminal);
  if (!config) return config.error();
  auto path = dkim_key_path(commands.instance().dkim, asked.domain, asked.selector);
  auto done = keeping_rights(*config, [&] {
    auto answer =
        commands.run(fmt::format("dkim.{}", action), {{"domain", json_text(asked.domain)},
                                                      {"selector", json_text(asked.selector)},
                                                      {"now", asked.invocation.has("--now")}});
    if (!answer) return commands.report(answer.error());
    if (asked.invocation.json())
      print_json(terminal, *answer);
    else if (action == "activate")
      terminal.say(kActive, asked.selector, asked.domain);
    else if (action == "retire")
      tell_retired(asked, *answer);
    else
      terminal.say(kRemoved, asked.selector, text_in(*answer, "name"));
    return Exit::Ok;
  });
  if (done != Exit::Ok || action != "remove") return done;
  std::error_code error;
  std::filesystem::remove(path, error);
  if (!error) return Exit::Ok;
  terminal.complain_text(errno_error("cannot erase " + path.string(), error.value()).describe());
  return Exit::Io;
}

Exit wrong(Terminal& terminal, std::string text) {
  terminal.complain_text(text);
  return Exit::Usage;
}

Exit run(const Invocation& invocation, Terminal& terminal) {
  auto domain = smtp::parse_domain(invocation.argument(0), smtp::Characters::Utf8);
  if (!domain) return wrong(terminal, domain.error().describe());
  auto action = invocation.arguments().size() > 1 ? invocation.argument(1) : std::string("list");
  Asked asked{invocation, terminal, *domain, to_lower(invocation.argument(2))};
  auto language = terminal.language();
  if (std::ranges::find(kActions, action) == kActions.end()) {
    auto text = say(language, kNoAction, printable(action, 60),
                    "list, rotate, add, activate, retire, remove");
    auto near = closest(action, {kActions.begin(), kActions.end()});
    if (!near.empty()) text += say(language, kDidYouMean, std::string(near));
    return wrong(terminal, text);
  }
  auto about_one = action != "list" && action != "rotate";
  if (invocation.arguments().size() > (about_one ? 3u : 2u))
    return wrong(terminal, say(language, kTooMany, printable(invocation.arguments().back(), 60)));
  if (action == "list") return list(asked);
  if (action == "rotate") return make(asked, usual_dkim_keys(asked.domain));
  if (action == "add") {
    auto wanted = wanted_key(asked);
    if (wanted) return make(asked, std::move(*wanted));
    Commands commands(invocation, terminal);
    return commands.report(wanted.error(), Exit::NoInput);
  }
  if (asked.selector.empty())
    return wrong(terminal, say(language, kNeedsSelector, asked.domain, action));
  return change(asked, action);
}

}  // namespace

Verb verb_domain_dkim() {
  return {
      .name = "domain dkim",
      .group = Group::Accounts,
      .summary = {"lists, makes, changes the keys that a domain's mail is signed with",
                  "ドメインのメールに署名する鍵を一覧表示、作成、交代する"},
      .details =
          {"Without ACTION, or with list, the keys and how far they are. rotate makes a new pair "
           "(RSA and Ed25519); add [SELECTOR] one key, or takes one from a file. A new key "
           "waits: it signs once the running server has seen its record in the DNS for as long "
           "as the record's TTL, and the old one of its kind is retired in that moment. activate "
           "SELECTOR lets a key sign again, retire SELECTOR ends it. A retired key's record stays "
           "in the DNS until mail signed by it cannot be on its way any more; then remove SELECTOR "
           "erases the private key.",
           "ACTION を省くか list とすると、鍵とその進み具合を表示します。rotate は新しい一組(RSA "
           "と "
           "Ed25519)を作り、add [SELECTOR] "
           "は鍵を一つ作るかファイルから取り込みます。新しい鍵は、サーバーが DNS "
           "でレコードを確認し "
           "TTL の時間が過ぎてから署名を始め、同じ種類の古い鍵はその時点で引退します。activate "
           "SELECTOR で再び署名させ、retire SELECTOR "
           "で引退させます。引退した鍵のレコードは、署名済みのメールが届き終わるまで DNS "
           "に残し、その後 remove SELECTOR で秘密鍵を消去します。"},
      .arguments = {{"DOMAIN", {"such as example.org", "例: example.org"}},
                    {"ACTION",
                     {"list, rotate, add, activate, retire or remove, and a selector",
                      "list、rotate、add、activate、retire、remove のいずれかとセレクター"},
                     ArgumentSpec::Count::Any}},
      .options = {{.name = "--now",
                   .help = {"do not wait for the DNS, or for mail on its way",
                            "DNS や配送中のメールを待たない"}},
                  {.name = "--key",
                   .value = "FILE",
                   .help = {"add: take the private key from this PEM file",
                            "add: この PEM ファイルの秘密鍵を使う"}},
                  {.name = "--algorithm",
                   .value = "KIND",
                   .help = {"add: rsa or ed25519; without it rsa",
                            "add: rsa か ed25519。省略時は rsa"},
                   .choices = {"rsa", "ed25519"}}},
      .examples = {{"hikyaku domain dkim example.org", {"the keys", "鍵の一覧"}},
                   {"hikyaku domain dkim example.org rotate",
                    {"a new pair, which takes over by itself", "新しい一組。自動で交代する"}},
                   {"hikyaku domain dkim example.org add mail --key /etc/opendkim/mail.private",
                    {"go on with a key that there is already", "既存の鍵を使い続ける"}},
                   {"hikyaku domain dkim example.org remove rsa-20250101",
                    {"a retired key, for good", "引退した鍵を消去する"}}},
      .uses_instance = true,
      .has_json = true,
      .run = run,
  };
}

}  // namespace hikyaku::app
