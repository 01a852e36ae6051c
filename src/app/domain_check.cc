#include "app/domain_check.h"

#include <algorithm>
#include <fmt/core.h>

#include "app/client_records_check.h"
#include "app/dns_records.h"
#include "app/domain_check_internal.h"
#include "app/run_command.h"
#include "base/text.h"
#include "dkim/key_record.h"
#include "dkim/problem.h"
#include "dmarc/policy.h"
#include "dmarc/problem.h"
#include "dmarc/record.h"
#include "dmarc/report_address.h"
#include "dns/problem.h"
#include "spf/check.h"
#include "spf/mend.h"
#include "spf/problem.h"
#include "spf/record.h"

namespace hikyaku::app {
namespace {

using Level = DomainFinding::Level;

constexpr Phrase kNoMx{"there is no MX record: mail for the domain does not come here",
                       "MX レコードがありません。ドメイン宛てのメールが届きません"};
constexpr Phrase kNullMx{"the MX record says that the domain takes no mail (a null MX)",
                         "メールを受け取らないという MX レコード(null MX)です"};
constexpr Phrase kOtherMx{"{}: none of them is this server ({})",
                          "{}: どれもこのサーバー ({}) ではありません"};
constexpr Phrase kMxGood{"mail for the domain comes to {}", "ドメイン宛てのメールは {} に届きます"};
constexpr Phrase kMxAlias{"{} is an alias (CNAME) of {}, which an MX must not be (RFC 2181 §10.3)",
                          "{} は {} の別名(CNAME)です。MX には使えません(RFC 2181 §10.3)"};
constexpr Phrase kMxNoAddress{"the exchange {} has no address", "{} にアドレスがありません"};
constexpr Phrase kGiveAddress{"give it an A or AAAA record, or take it out of the MX records",
                              "A か AAAA レコードを付けるか、MX から外してください"};
constexpr Phrase kHostName{"name the A record itself in the MX record",
                           "MX レコードには A レコードの名前を直接書いてください"};

constexpr Phrase kNoAddress{"the server's name has no address",
                            "サーバーの名前にアドレスがありません"};
constexpr Phrase kOtherAddress{"{} is not an address of this machine ({})",
                               "{} はこのマシンのアドレス ({}) ではありません"};
constexpr Phrase kFixAddress{
    "correct the record; if the machine stands behind a router that passes port 25 on, all is well",
    "レコードを直してください。ルーターがポート 25 を転送している場合は問題ありません"};
constexpr Phrase kAddressGood{"leads to {}", "{} を指しています"};
constexpr Phrase kNoReverse{"{} does not lead back to {}, but to: {}",
                            "{} の逆引きが {} ではなく、{} です"};
constexpr Phrase kNothing{"nothing", "なし"};
constexpr Phrase kSetReverse{
    "have its PTR record set to {} (by whoever gave you the address): many refuse mail without it",
    "PTR レコードを {} "
    "にしてもらってください(アドレスの提供元)。ないと多くのサーバーに拒否されます"};
constexpr Phrase kReverseUnchecked{"{} is on loopback, which nobody looks up",
                                   "{} はループバックなので、逆引きは見られません"};
constexpr Phrase kReverseGood{"{} leads back to {}", "{} の逆引きは {} です"};

constexpr Phrase kNoSpf{"there is no SPF record", "SPF レコードがありません"};
constexpr Phrase kSpfMistyped{
    "\"{}\" is meant as an SPF record, but is none: it must begin with \"v=spf1 \", without quotes "
    "around it",
    "\"{}\" は SPF レコードのつもりでしょうが、(引用符なしで) \"v=spf1 \" "
    "で始まらないので無効です"};
constexpr Phrase kTwoSpf{"there are {} SPF records: then none of them counts (RFC 7208 §4.5): {}",
                         "SPF レコードが {} 個あり、どれも無効になります(RFC 7208 §4.5): {}"};
constexpr Phrase kKeepOne{"put all of it into one record, and take the others out",
                          "一つにまとめ、ほかは削除してください"};
constexpr Phrase kCorrect{"correct that, and leave the rest of the record as it is",
                          "その部分だけを直し、ほかはそのままにしてください"};
constexpr Phrase kCorrectTerm{
    "correct that term or take it out, and leave the rest of the record as it is",
    "その項目を直すか削除し、ほかはそのままにしてください"};
constexpr Phrase kFollowsMx{
    "this mends itself with the MX record above; if mail is to be received elsewhere, replace it "
    "with: {}",
    "上の MX "
    "レコードを直せば解決します。受信を別のサーバーで行うなら、次のように書き換えてください: "
    "{}"};
constexpr Phrase kFollowsAddress{
    "this mends itself with the address above; if that is right as it is, replace it with: {}",
    "上のアドレスを直せば解決します。そのままでよいなら、次のように書き換えてください: {}"};
constexpr Phrase kSpfNoAll{
    "\"{}\" does not end with all: of every other server it says neutral, so that anybody may "
    "send as the domain",
    "\"{}\" は all で終わっていません。ほかのサーバーはすべて neutral "
    "となり、誰でもこのドメインを名乗れます"};
constexpr Phrase kSpfAfterAll{"\"{}\": nothing behind {} counts",
                              "\"{}\": {} より後の項目は無効です"};
constexpr Phrase kSpfRedirect{"\"{}\": {} is not looked at, since there is an all",
                              "\"{}\": all があるため {} は無視されます"};
constexpr Phrase kNoRedirect{"take out {}, or the all", "{} か all のどちらかを外してください"};
constexpr Phrase kSpfPtr{
    "\"{}\" uses ptr, which must not be used (RFC 7208 §5.5): it is slow, and some skip it",
    "\"{}\" は ptr を使っています。遅く、無視する相手もあるため、使うべきではありません(RFC 7208 "
    "§5.5)"};
constexpr Phrase kNoPtr{"name the servers by mx, a: or ip4: in place of {}",
                        "{} の代わりに mx、a:、ip4: でサーバーを書いてください"};
constexpr Phrase kSpfWrong{"\"{}\": {}", "\"{}\": {}"};
constexpr Phrase kSpfRefuses{"\"{}\" says {} for this server ({})",
                             "\"{0}\" ではこのサーバー ({2}) が {1} になります"};
constexpr Phrase kSpfOpen{"\"{}\" lets everybody send as the domain",
                          "\"{}\" では誰でもこのドメインで送信できます"};
constexpr Phrase kEndWithAll{"end it with -all", "最後を -all にしてください"};
constexpr Phrase kFewer{"name networks (ip4:, ip6:) in place of include:, a and mx",
                        "include:、a、mx の代わりに ip4:、ip6: を使ってください"};
constexpr Phrase kSpfGood{"\"{}\" lets this server send",
                          "\"{}\" でこのサーバーの送信が許可されます"};
constexpr Phrase kSpfUnknown{
    "\"{}\" can be read; whether it lets this server send cannot be told: its address is not known",
    "\"{}\" "
    "は正しい形式です。このサーバーのアドレスが不明なため、許可されるかは確認できません"};

constexpr Phrase kNoKeys{"the domain's mail leaves unsigned: it has no active key",
                         "有効な鍵がなく、メールは署名なしで送られます"};
constexpr Phrase kMakeKeys{"hikyaku domain dkim {} rotate", "hikyaku domain dkim {} rotate"};
constexpr Phrase kKeyMissing{
    "mail is signed with this key, and nobody can check it: there is no "
    "record",
    "この鍵で署名していますが、レコードがないため検証できません"};
constexpr Phrase kKeyWaits{"the new key waits for its record", "新しい鍵がレコードを待っています"};
constexpr Phrase kKeyRetiredMissing{
    "mail signed by this retired key may be on its way until {}, and its record is gone",
    "引退した鍵で署名したメールが {} までに届く可能性がありますが、レコードがありません"};
constexpr Phrase kKeyOther{"the record holds another key than ours: what we sign fails",
                           "レコードの鍵が異なります。署名の検証に失敗します"};
constexpr Phrase kKeyWrong{"the record cannot be used: {}", "レコードが使えません: {}"};
constexpr Phrase kKeyRevoked{"the record says that the key is revoked (an empty p=)",
                             "鍵は取り消されたと書かれています(p= が空)"};
constexpr Phrase kKeyTwo{"there are {} records where there must be one",
                         "レコードが {} 個あります(一つだけにしてください)"};
constexpr Phrase kKeyTesting{"the record says t=y (testing): some treat the mail as unsigned",
                             "t=y(試験中)とあり、署名なしとして扱われることがあります"};
constexpr Phrase kDropTesting{"take t=y out of it", "t=y を外してください"};
constexpr Phrase kKeyGood{"the {} key that signs is published", "署名に使う {} の鍵があります"};
constexpr Phrase kKeyStays{"the retired {} key's record is there, and must stay until {}",
                           "引退した {} の鍵のレコードがあります。{} まで残してください"};
constexpr Phrase kKeyMayGo{"no mail signed by this retired key is on its way any more",
                           "この引退した鍵で署名したメールは、もう届きません"};
constexpr Phrase kRemoveKey{"hikyaku domain dkim {} remove {}, and take its record out",
                            "hikyaku domain dkim {} remove {} とし、レコードも削除してください"};
constexpr Phrase kKeyLeft{"the key is erased, its record is still there",
                          "鍵は消去済みですが、レコードが残っています"};
constexpr Phrase kTakeOut{"take the record out", "レコードを削除してください"};

constexpr Phrase kNoDmarc{
    "there is no DMARC record: many treat the mail of such domains as suspect",
    "DMARC レコードがありません。不審なメールとして扱われることがあります"};
constexpr Phrase kDmarcAbove{
    "there is no record here, and none is needed: what {} says counts, which is p={} for this "
    "domain",
    "ここにレコードはありませんが不要です。{} のポリシー(このドメインには p={})が適用されます"};
constexpr Phrase kDmarcAboveUnknown{
    "there is no record here, and whether one above counts could not be asked: {}",
    "ここにレコードはなく、上位のレコードが適用されるかを確認できませんでした: {}"};
constexpr Phrase kTwoDmarc{"there are {} DMARC records: then none of them counts: {}",
                           "DMARC レコードが {} 個あり、どれも無効になります: {}"};
constexpr Phrase kDmarcElsewhere{
    "the DMARC record stands at {} itself, where nobody looks for it: \"{}\"",
    "DMARC レコードが {} 自体にあり、そこでは読まれません: \"{}\""};
constexpr Phrase kMoveDmarc{"take it out there, and publish: {}",
                            "そこから削除し、次を公開してください: {}"};
constexpr Phrase kDmarcRemark{"\"{}\": {}", "\"{}\": {}"};
constexpr Phrase kDmarcGood{"\"{}\" has no mistakes", "\"{}\" に誤りはありません"};
constexpr Phrase kDmarcRejects{
    "p=reject: what people of the domain write to mailing lists may be refused to the members, "
    "since lists change what they pass on (RFC 9989 §7.4)",
    "p=reject です。ドメインの人がメーリングリストに投稿すると、リストが内容を書き換えるため、"
    "参加者側で拒否されることがあります(RFC 9989 §7.4)"};
constexpr Phrase kQuarantineSuits{
    "publish p=quarantine, unless nobody of {} writes to mailing lists: then all is well as it is",
    "p=quarantine にしてください。{} "
    "から投稿する人がいなければ、このままで問題ありません"};
constexpr Phrase kRuaRefused{"reports may not go to {}: {}", "{} には報告を送れません: {}"};
constexpr Phrase kAuthorize{"publish at that domain: {}. IN TXT \"v=DMARC1\"",
                            "送り先のドメインで公開してください: {}. IN TXT \"v=DMARC1\""};

class DomainCheck {
 public:
  DomainCheck(dns::Resolver& resolver, const Clock& clock, DomainToCheck wanted, Language language)
      : dns_(resolver), clock_(clock), wanted_(std::move(wanted)), language_(language) {}

  Task<std::vector<DomainFinding>> run() {
    co_await mx();
    co_await host();
    co_await spf(wanted_.domain, "v=spf1 mx -all", Level::Problem);
    // Bounces have no sender but the name in EHLO (RFC 7208 §2.3).
    if (wanted_.host_name != wanted_.domain)
      co_await spf(wanted_.host_name, "v=spf1 a -all", Level::Note);
    co_await keys();
    co_await dmarc();
    co_return std::move(findings_);
  }

 private:
  /// The record that the findings which follow are about.
  void about(std::string name, std::string type, std::chrono::seconds ttl) {
    name_ = std::move(name), type_ = std::move(type), ttl_ = ttl;
  }
  /// What is not there has no TTL.
  template <class Record>
  void about(std::string name, std::string type, const dns::Answer<Record>& answer) {
    about(std::move(name), std::move(type), answer.ok() ? answer.ttl : std::chrono::seconds(0));
  }
  template <class... Args>
  std::string text(const Phrase& phrase, const Args&... args) const {
    return say(language_, phrase, args...);
  }
  void add(Level level, std::string what, std::string remedy = {}) {
    findings_.push_back({level, name_, type_, ttl_, std::move(what), std::move(remedy)});
  }
  std::string record(std::string_view value) const {
    return fmt::format("{}. IN {} {}", name_, type_, value);
  }
  /// Each in quotes.
  static std::string quoted(const std::vector<std::string>& records) {
    std::string all;
    for (auto& one : records) all += (all.empty() ? "\"" : ", \"") + printable(one, 200) + '"';
    return printable(all, 2000);
  }
  /// True when the answer could not be had; said then.
  template <class Record>
  bool failed(const dns::Answer<Record>& answer) {
    if (!answer.failed()) return false;
    add(Level::Problem, text(kFailed, dns::problem_in(answer.problem, language_)), text(kTryLater));
    return true;
  }

  Task<void> mx() {
    auto answer = co_await dns_.mx(wanted_.domain);
    about(wanted_.domain, "MX", answer);
    if (failed(answer)) co_return;
    auto remedy = text(kPublish, record(fmt::format("10 {}.", wanted_.host_name)));
    mx_is_wrong_ = true;
    if (answer.records.empty()) co_return add(Level::Problem, text(kNoMx), remedy);
    if (answer.records.front().exchange.empty())
      co_return add(Level::Problem, text(kNullMx), remedy);
    std::string all;
    bool ours = false;
    for (auto& one : answer.records) {
      all += (all.empty() ? "" : ", ") + one.exchange;
      ours |= iequals(one.exchange, wanted_.host_name);
    }
    mx_is_wrong_ = !ours;
    if (ours)
      add(Level::Good, text(kMxGood, all));
    else
      add(Level::Problem, text(kOtherMx, all, wanted_.host_name), remedy);
    for (auto& one : answer.records) co_await exchange(one.exchange);
  }

  Task<void> exchange(std::string name) {
    auto alias = co_await dns_.cname(name);
    if (alias.ok() && !alias.records.empty())
      add(Level::Problem, text(kMxAlias, name, alias.records.front()), text(kHostName));
    if (iequals(name, wanted_.host_name)) co_return;  // looked at by itself
    auto v4 = co_await dns_.a(name);
    auto v6 = co_await dns_.aaaa(name);
    if (v4.absent() && v6.absent())
      add(Level::Problem, text(kMxNoAddress, name), text(kGiveAddress));
  }

  Task<void> host() {
    auto v4 = co_await dns_.a(wanted_.host_name);
    auto v6 = co_await dns_.aaaa(wanted_.host_name);
    about(wanted_.host_name, "A", v4.ok() ? v4 : v6);
    if (failed(v4) || failed(v6)) co_return;
    auto found = v4.records;
    found.insert(found.end(), v6.records.begin(), v6.records.end());
    auto& ours = wanted_.addresses;
    if (found.empty()) {
      address_is_wrong_ = true;
      std::string records;
      for (auto& address : ours) {
        about(wanted_.host_name, address.is_v4() ? "A" : "AAAA", address.is_v4() ? v4.ttl : v6.ttl);
        records += (records.empty() ? "" : ", ") + record(address.to_string());
      }
      about(wanted_.host_name, "A", v4);
      add(Level::Problem, text(kNoAddress),
          text(kPublish, records.empty() ? record("<IPv4-ADDRESS>") : records));
    }
    std::string known;
    for (auto& address : ours) known += (known.empty() ? "" : ", ") + address.to_string();
    for (auto& address : found) {
      about(wanted_.host_name, address.is_v4() ? "A" : "AAAA", address.is_v4() ? v4.ttl : v6.ttl);
      if (ours.empty() || std::ranges::find(ours, address) != ours.end())
        add(Level::Good, text(kAddressGood, address.to_string()));
      else
        add_wrong_address(address, known);
      if (wanted_.has_reverse) {
        co_await reverse(address);
      } else {
        about(address.to_string(), "PTR", std::chrono::seconds(0));
        add(Level::Unchecked, text(kReverseUnchecked, address.to_string()));
      }
    }
  }

  void add_wrong_address(const IpAddress& address, const std::string& known) {
    address_is_wrong_ = true;
    add(Level::Problem, text(kOtherAddress, address.to_string(), known), text(kFixAddress));
  }

  Task<void> reverse(IpAddress address) {
    auto back = co_await dns_.ptr(address);
    about(address.to_string(), "PTR", back);
    if (failed(back)) co_return;
    auto ours = std::ranges::any_of(back.records,
                                    [&](auto& name) { return iequals(name, wanted_.host_name); });
    if (ours)
      add(Level::Good, text(kReverseGood, address.to_string(), wanted_.host_name));
    else
      add(Level::Problem,
          text(kNoReverse, address.to_string(), wanted_.host_name,
               back.records.empty() ? text(kNothing) : join(back.records, ", ")),
          text(kSetReverse, wanted_.host_name));
  }

  /// How the record judges mail from this address.
  Task<spf::Verdict> judge(std::string domain, IpAddress address) {
    co_return co_await spf::check(dns_, clock_,
                                  {.ip = address,
                                   .helo = wanted_.host_name,
                                   .mail_from = "postmaster@" + domain,
                                   .receiver = wanted_.host_name});
  }

  Task<void> spf(std::string domain, std::string_view ours, Level missing) {
    auto answer = co_await dns_.txt(domain);
    about(domain, "TXT", answer);
    if (failed(answer)) co_return;
    auto good = record(quote_txt(ours));
    std::vector<std::string> records, mistyped;
    for (auto& one : answer.records) {
      if (spf::is_record(one))
        records.push_back(one);
      else if (spf::is_meant_as_record(one))
        mistyped.push_back(one);
    }
    for (auto& one : mistyped)
      add(Level::Problem, text(kSpfMistyped, printable(one, 200)),
          records.empty() ? mended(spf::mend_record(one), kCorrect) : text(kTakeOut));
    if (records.empty()) {
      if (mistyped.empty()) add(missing, text(kNoSpf), text(kPublish, good));
      co_return;
    }
    if (records.size() > 1)
      co_return add(Level::Problem, text(kTwoSpf, records.size(), quoted(records)), text(kKeepOne));
    auto& published = records.front();
    auto shown = printable(published, 300);
    auto parsed = spf::parse_record(published);
    if (!parsed)
      co_return add(Level::Problem,
                    text(kSpfWrong, shown, spf::problem_in(parsed.error().describe(), language_)),
                    mended(spf::mend_record(published), kCorrectTerm));
    if (!spf_form(published, *parsed)) co_return;
    co_await spf_meaning(domain, published, *parsed);
  }

  /// The owner's own record without its mistake; where it cannot be told, what to do by hand. What
  /// the owner has decided is never replaced.
  std::string mended(const std::optional<std::string>& good, const Phrase& by_hand) const {
    return good ? text(kReplace, record(quote_txt(*good))) : text(by_hand);
  }

  /// How to end that everybody may send.
  std::string closed(const std::string& published) const {
    auto good = spf::with_all_denied(published);
    return good == published ? text(kEndWithAll) : text(kReplace, record(quote_txt(good)));
  }

  /// What cannot be meant, though it can be read. False: no use in going on.
  bool spf_form(const std::string& published, const spf::Record& parsed) {
    auto shown = printable(published, 300);
    auto& terms = parsed.directives;
    auto all = std::ranges::find(terms, spf::Mechanism::All, &spf::Directive::mechanism);
    if (all != terms.end() && all + 1 != terms.end()) {
      add(Level::Problem, text(kSpfAfterAll, shown, all->text),
          text(kReplace, record(quote_txt(spf::with_all_last(published)))));
      return false;
    }
    if (all == terms.end() && parsed.redirect.empty())
      add(Level::Problem, text(kSpfNoAll, shown),
          text(kReplace, record(quote_txt(published + " -all"))));
    if (all != terms.end() && !parsed.redirect.empty()) {
      auto redirect = printable(parsed.redirect_text, 80);
      add(Level::Note, text(kSpfRedirect, shown, redirect), text(kNoRedirect, redirect));
    }
    auto ptr = std::ranges::find(terms, spf::Mechanism::Ptr, &spf::Directive::mechanism);
    if (ptr != terms.end())
      add(Level::Note, text(kSpfPtr, shown), text(kNoPtr, printable(ptr->text, 80)));
    return true;
  }

  /// How to make the record let `refused`, this server's, send.
  std::string let_send(const std::string& published, const spf::Record& parsed,
                       const IpAddress& refused) const {
    auto names = [&](spf::Mechanism mechanism) {
      return std::ranges::any_of(parsed.directives, [&](auto& term) {
        return term.mechanism == mechanism && term.domain_spec.empty() &&
               term.result == spf::Result::Pass;
      });
    };
    auto with = [&](const std::string& term) {
      return record(quote_txt(spf::with_term(published, term)));
    };
    auto by_name = with("a:" + wanted_.host_name);
    auto by_address = with((refused.is_v4() ? "ip4:" : "ip6:") + refused.to_string());
    auto of_host = name_ == wanted_.host_name;
    if (mx_is_wrong_ && !of_host && names(spf::Mechanism::Mx)) return text(kFollowsMx, by_name);
    if (!address_is_wrong_) return text(kReplace, by_name);
    auto follows = names(spf::Mechanism::Mx) || (of_host && names(spf::Mechanism::A));
    return text(follows ? kFollowsAddress : kReplace, by_address);
  }

  Task<void> spf_meaning(std::string domain, std::string published, spf::Record parsed) {
    auto shown = printable(published, 300);
    // An address that nobody names: every term is tried, and every lookup counted.
    auto stranger = co_await judge(domain, *IpAddress::parse("192.0.2.254"));
    if (stranger.result == spf::Result::PermError)
      co_return add(Level::Problem,
                    text(kSpfWrong, shown, spf::problem_in(stranger.detail, language_)),
                    text(stranger.problem == spf::Problem::TooManyLookups ? kFewer : kCorrectTerm));
    if (stranger.result == spf::Result::TempError)
      co_return add(Level::Problem,
                    text(kSpfWrong, shown, spf::problem_in(stranger.detail, language_)),
                    text(kTryLater));
    if (stranger.result == spf::Result::Pass)
      co_return add(Level::Problem, text(kSpfOpen, shown), closed(published));
    if (wanted_.addresses.empty()) co_return add(Level::Good, text(kSpfUnknown, shown));
    for (auto& address : wanted_.addresses) {
      auto verdict = co_await judge(domain, address);
      if (verdict.result == spf::Result::Pass) continue;
      co_return add(Level::Problem,
                    text(kSpfRefuses, shown, spf::to_string(verdict.result), address.to_string()),
                    let_send(published, parsed, address));
    }
    add(Level::Good, text(kSpfGood, shown));
  }

  Task<void> keys() {
    bool signs = false;
    for (auto& key : wanted_.keys) {
      signs |= text_in(key, "state") == "active";
      co_await one_key(key);
    }
    if (signs) co_return;
    about(wanted_.domain, "DKIM", std::chrono::seconds(0));
    add(Level::Problem, text(kNoKeys), text(kMakeKeys, wanted_.domain));
  }

  Task<void> one_key(const boost::json::object& key) {
    auto state = text_in(key, "state");
    auto answer = co_await dns_.txt(text_in(key, "name"));
    about(text_in(key, "name"), "TXT", answer);
    if (state == "gone") {
      if (!answer.records.empty()) add(Level::Note, text(kKeyLeft), text(kTakeOut));
      co_return;
    }
    if (failed(answer)) co_return;
    auto good = record(quote_txt(text_in(key, "record")));
    auto until = text_in(key, "record_until");
    auto retired = state == "retired";
    if (retired && until <= format_rfc3339(clock_.now()))
      co_return add(Level::Note, text(kKeyMayGo),
                    text(kRemoveKey, wanted_.domain, text_in(key, "selector")));
    if (answer.records.empty()) {
      if (state == "published") co_return add(Level::Note, text(kKeyWaits), text(kPublish, good));
      co_return add(Level::Problem, retired ? text(kKeyRetiredMissing, until) : text(kKeyMissing),
                    text(kPublish, good));
    }
    if (answer.records.size() > 1)
      co_return add(Level::Problem, text(kKeyTwo, answer.records.size()), text(kReplace, good));
    compare_key(key, answer.records.front(), good);
  }

  void compare_key(const boost::json::object& key, const std::string& published,
                   const std::string& good) {
    auto theirs = dkim::parse_key_record(published);
    auto ours = dkim::parse_key_record(text_in(key, "record"));
    if (!theirs)
      return add(Level::Problem,
                 text(kKeyWrong, dkim::problem_in(theirs.error().describe(), language_)),
                 text(kReplace, good));
    if (theirs->revoked) return add(Level::Problem, text(kKeyRevoked), text(kReplace, good));
    if (!theirs->key || !ours || !ours->key || !(*theirs->key == *ours->key))
      return add(Level::Problem, text(kKeyOther), text(kReplace, good));
    if (theirs->testing) return add(Level::Note, text(kKeyTesting), text(kDropTesting));
    if (text_in(key, "state") == "retired")
      return add(Level::Good,
                 text(kKeyStays, text_in(key, "algorithm"), text_in(key, "record_until")));
    add(Level::Good, text(kKeyGood, text_in(key, "algorithm")));
  }

  Task<void> dmarc() {
    auto name = "_dmarc." + wanted_.domain;
    auto answer = co_await dns_.txt(name);
    about(name, "TXT", answer);
    if (failed(answer)) co_return;
    std::vector<std::string> meant;
    std::size_t real = 0;
    for (auto& one : answer.records) {
      if (!dmarc::is_meant_as_record(one)) continue;
      real += dmarc::is_record(one);
      meant.push_back(one);
    }
    auto good = record(quote_txt(dmarc_record(wanted_.domain, wanted_.report_address)));
    if (meant.empty()) co_return co_await no_dmarc(good);
    if (real > 1)
      co_return add(Level::Problem, text(kTwoDmarc, real, quoted(meant)), text(kKeepOne));
    for (auto& one : meant) {
      auto before = findings_.size();
      for (auto& remark : dmarc::examine_record(one))
        add(remark.is_mistake() ? Level::Problem : Level::Note,
            text(kDmarcRemark, printable(one, 200), remark.describe(language_)),
            remark.is_mistake() ? mended(dmarc::mend_record(one), kCorrect) : std::string());
      co_await report_addresses(one);
      if (findings_.size() != before) continue;
      add(Level::Good, text(kDmarcGood, printable(one, 200)));
      if (auto parsed = dmarc::parse_record(one); parsed && parsed->p == dmarc::Policy::Reject)
        add(Level::Note, text(kDmarcRejects), text(kQuarantineSuits, wanted_.domain));
    }
  }

  /// One above may count (RFC 9989 §4.10), or it may stand where it does no good.
  Task<void> no_dmarc(std::string good) {
    dmarc::Walker walker(dns_);
    auto found = co_await dmarc::discover(walker, wanted_.domain);
    using State = dmarc::Discovery::State;
    if (found.state == State::Found)
      co_return add(Level::Good, text(kDmarcAbove, "_dmarc." + found.policy_domain,
                                      dmarc::to_string(found.effective)));
    if (found.state == State::TempError)
      co_return add(Level::Unchecked, text(kDmarcAboveUnknown, found.problem));
    auto at_domain = co_await dns_.txt(wanted_.domain);
    auto is_stray = [](const std::string& one) {
      return dmarc::is_meant_as_record(one) && ifind(one, "dmarc") != one.npos;
    };
    auto stray = std::ranges::find_if(at_domain.records, is_stray);
    if (stray == at_domain.records.end())
      co_return add(Level::Problem, text(kNoDmarc), text(kPublish, good));
    add(Level::Problem, text(kDmarcElsewhere, wanted_.domain, printable(*stray, 200)),
        text(kMoveDmarc, record(quote_txt(dmarc::mend_record(*stray).value_or(*stray)))));
  }

  Task<void> report_addresses(std::string text_of_record) {
    auto parsed = dmarc::parse_record(std::move(text_of_record));
    if (!parsed) co_return;
    for (auto kind : {dmarc::ReportKind::Aggregate, dmarc::ReportKind::Failure}) {
      auto list = kind == dmarc::ReportKind::Aggregate ? parsed->rua() : parsed->ruf();
      for (auto& uri : dmarc::parse_report_uris(list)) {
        if (!uri.is_mail()) continue;
        auto allowed = co_await dmarc::authorize(dns_, wanted_.domain, uri, kind);
        using State = dmarc::Authorization::State;
        if (allowed.state == State::Refused)
          add(Level::Problem,
              text(kRuaRefused, uri.mailbox, dmarc::problem_in(allowed.problem, language_)),
              text(kAuthorize, allowed.name));
        if (allowed.state == State::Unknown)
          add(Level::Problem,
              text(kRuaRefused, uri.mailbox, dmarc::problem_in(allowed.problem, language_)),
              text(kTryLater));
      }
    }
  }

  dns::Resolver& dns_;
  const Clock& clock_;
  DomainToCheck wanted_;
  Language language_;
  std::string name_, type_;
  std::chrono::seconds ttl_{0};
  bool mx_is_wrong_ = false, address_is_wrong_ = false;
  std::vector<DomainFinding> findings_;
};

}  // namespace

Task<std::vector<DomainFinding>> check_domain(dns::Resolver& resolver, const Clock& clock,
                                              DomainToCheck wanted, Language language) {
  DomainCheck check(resolver, clock, wanted, language);
  auto findings = co_await check.run();
  auto clients = co_await check_client_records(resolver, std::move(wanted), language);
  std::ranges::move(clients, std::back_inserter(findings));
  co_return findings;
}

}  // namespace hikyaku::app
