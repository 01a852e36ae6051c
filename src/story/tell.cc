// The story in words and as JSON.
#include <algorithm>
#include <array>
#include <span>

#include "base/ip.h"
#include "base/json.h"
#include "base/text.h"
#include "base/translate.h"
#include "dmarc/problem.h"
#include "dns/problem.h"
#include "story/checks.h"
#include "story/story.h"

namespace hikyaku::story {
namespace {

constexpr Phrase kMessage{"Message {}\n", "メッセージ {}\n"};
constexpr Phrase kNoArrival{"  how it came is no longer (or not yet) known\n",
                            "  到着の記録はありません\n"};
constexpr Phrase kCame{"{}  came by {} from {}\n", "{}  {} で {} から届きました\n"};
constexpr Phrase kCameLocally{"{}  was made on this server ({})\n",
                              "{}  このサーバー上で作られました({})\n"};
constexpr Phrase kHelo{"    it called itself {}\n", "    相手は {} と名乗りました\n"};
constexpr Phrase kNamed{"    its address has the name {} (confirmed)\n",
                        "    そのアドレスの名前は {} です(確認済み)\n"};
constexpr Phrase kEncrypted{"    the connection was encrypted: {}\n",
                            "    接続は暗号化されていました: {}\n"};
constexpr Phrase kInClear{"    the connection was in clear: anybody on the way could read it\n",
                          "    接続は平文でした: 途中の誰でも読めました\n"};
constexpr Phrase kLoggedIn{"    logged in as {}\n", "    {} としてログインしました\n"};
/// With proof: a login, or SPF pass.
constexpr Phrase kSentBy{"    shown as from {}, really sent by {}\n",
                         "    表示上の差出人は {}、実際の送信者は {}\n"};
constexpr Phrase kClaimed{"    shown as from {}; its envelope names {} as sender\n",
                          "    表示上の差出人は {}、エンベロープの差出人は {}\n"};
constexpr Phrase kNullSender{"nobody (<>: a notice that must not be answered)",
                             "なし(<>: 返信してはならない通知)"};
constexpr Phrase kSender{"    sent by {}\n", "    送信者は {}\n"};
constexpr Phrase kClaimedSender{"    its envelope names {} as sender\n",
                                "    エンベロープの差出人は {}\n"};
constexpr Phrase kAbout{"    {}, {}, {} bytes\n", "    {}、{}、{} バイト\n"};
constexpr Phrase kMessageId{"Message-ID {}", "Message-ID {}"};
constexpr Phrase kNoMessageId{"no Message-ID", "Message-ID なし"};
constexpr Phrase kSubject{"subject “{}”", "件名「{}」"};
constexpr Phrase kNoSubject{"no subject", "件名なし"};
constexpr Phrase kFinding{"    {}: {}\n", "    {}: {}\n"};
constexpr Phrase kFindingBare{"    {}\n", "    {}\n"};
constexpr Phrase kDelivered{"    for {}: delivered: {}\n", "    {} 宛: 配達済み: {}\n"};
constexpr Phrase kQueued{"    for {}: put into the queue: {}\n",
                         "    {} 宛: キューに入りました: {}\n"};
constexpr Phrase kRefused{"    for {}: refused: {}\n", "    {} 宛: 拒否しました: {}\n"};
constexpr Phrase kLost{"    for {}: lost, nobody gets this share: {}\n",
                       "    {} 宛: 失われました(この分は誰にも届きません): {}\n"};
constexpr Phrase kOther{"    for {}: {}\n", "    {} 宛: {}\n"};
constexpr Phrase kTried{"{}  attempt {} for {}", "{}  {} 回目の送信、{} 宛"};
constexpr Phrase kAtHost{" at {} [{}]", "、{} [{}] へ"};
constexpr Phrase kOverTls{", {}", "、{}"};
constexpr Phrase kWasDelivered{": delivered", ": 相手が受け取りました"};
constexpr Phrase kWasDeferred{": not yet", ": まだ届いていません"};
constexpr Phrase kWasBounced{": refused for good", ": 恒久的に拒否されました"};
constexpr Phrase kWasUncalled{": it cannot be sent, and nobody was called",
                              ": 送れません (どのサーバーにも接続していません)"};
constexpr Phrase kWasExpired{": given up", ": 期限切れです"};
constexpr Phrase kConfirmed{"{}  the sender was told of the success for {}\n",
                            "{}  {} への配送の成功を送信者に知らせました\n"};
constexpr Phrase kWasHeld{": held", ": 保留しました"};
constexpr Phrase kWasDropped{": dropped", ": 破棄しました"};
constexpr Phrase kWhy{"    because {}\n", "    理由: {}\n"};
constexpr Phrase kMailbox{"mailbox {} of {}, UID {}", "{1} のメールボックス {0}、UID {2}"};
constexpr Phrase kToReports{"to the reports about our domains", "自ドメインについての報告として"};
/// Why what an alias names gets nothing (auth::Resolution::DeadEnd).
constexpr Phrase kLostWhy[] = {
    {"nobody has this address", "このアドレスは誰のものでもありません"},
    {"the account is switched off", "アカウントが無効になっています"},
    {"it leads only back to itself", "自分自身に戻るだけです"},
    {"it lies behind too many others", "別名または宛先が多すぎて、たどれません"},
};
constexpr Phrase kReply{"    they said: {}\n", "    相手の言葉: {}\n"};
constexpr Phrase kNext{"    next attempt {}\n", "    次の送信は {}\n"};

const Phrase& outcome_phrase(RecipientOutcome::Kind kind) {
  switch (kind) {
    case RecipientOutcome::Kind::Delivered:
      return kDelivered;
    case RecipientOutcome::Kind::Queued:
      return kQueued;
    case RecipientOutcome::Kind::Refused:
      return kRefused;
    case RecipientOutcome::Kind::Lost:
      return kLost;
    case RecipientOutcome::Kind::Unknown:
      break;
  }
  return kOther;
}

const Phrase* result_phrase(std::string_view result) {
  if (result == "delivered") return &kWasDelivered;
  if (result == "deferred") return &kWasDeferred;
  if (result == "bounced") return &kWasBounced;
  if (result == "expired") return &kWasExpired;
  if (result == "held") return &kWasHeld;
  if (result == "dropped") return &kWasDropped;
  return nullptr;
}

/// An outcome's detail in the reader's language: where it lies, or where it goes; what stands in
/// front of that (the alias that led there) stays as it was recorded.
std::string tell_detail(std::string_view detail, Language language) {
  if (language == Language::English) return printable(detail);
  if (detail == kToReports.en) return std::string(kToReports.ja);
  for (auto& why : kLostWhy) {
    if (!detail.ends_with(why.en)) continue;
    detail.remove_suffix(why.en.size());
    return printable(detail) + std::string(why.ja);
  }
  auto place = detail.find("mailbox ");
  auto uid = detail.rfind(", UID ");
  auto of = uid == std::string_view::npos ? uid : detail.rfind(" of ", uid);
  if (of == std::string_view::npos || place > of) {
    if (detail.starts_with("to ")) detail.remove_prefix(3);
    return printable(detail);
  }
  auto name = place + std::string_view("mailbox ").size();
  auto owner = of + std::string_view(" of ").size();
  if (name > of || owner > uid) return printable(detail);
  return printable(detail.substr(0, place)) +
         say(language, kMailbox, printable(detail.substr(name, of - name)),
             printable(detail.substr(owner, uid - owner)), printable(detail.substr(uid + 6)));
}

/// What is recorded in English here and there along a message's way.
constexpr Phrase kRecorded[] = {
    // Notes.
    {"ignored: the same report came before", "無視: 同じ報告が前に届いています"},
    {"ignored: a report about {} (not our domain)",
     "無視: {} についての報告(このサーバーのドメインではありません)"},
    {"read: a failure report about {}", "読みました: {} についての失敗報告"},
    {"read: a report about {} (messages: {}, passed: {}, records left out as unreadable: {})",
     "読みました: {} についての報告 ({} 通、うち合格 {} 通。読めない記録 {} 件を除く)"},
    {"read: a report about {} (messages: {}, passed: {})",
     "読みました: {} についての報告 ({} 通、うち合格 {} 通)"},
    {"not counted: a report about {} (messages: {}, passed: {}): {}",
     "数えません: {} についての報告 ({} 通、うち合格 {} 通): {}"},
    {"read, unproved: a failure report about {}: {}",
     "読みました(差出人の証明なし): {} についての失敗報告: {}"},
    {"nothing shows that it comes from {}", "{} からのものであることを示すものがありません"},
    {"{} has no DMARC policy, and neither SPF nor DKIM speaks for it",
     "{} には DMARC ポリシーがなく、SPF も DKIM も差出人を示していません"},
    {"{} could not be asked", "{} に問い合わせできません"},
    {"its From field names no one domain", "差出人のドメインが定まりません"},
    {"its sender was not checked", "差出人は検証されていません"},
    {"could not be read: {}", "読めませんでした: {}"},
    {"a report of ours did not reach {}", "こちらからの報告が届きませんでした: {}"},
    {"held: {}", "保留しました: {}"},
    // Findings.
    {"the message has a null sender", "差出人が空 (<>) です"},
    {"the sender wants none (NOTIFY)", "差出人が不要としています (NOTIFY)"},
    {"the queue is full", "キューがいっぱいです"},
    {"{} takes no mail (RFC 7505)", "{} はメールを受け取りません (RFC 7505)"},
    {"{} has no MX: its own address is used", "{} に MX がないため、そのアドレスに直接送ります"},
    // Why it came to nothing before anybody was called.
    {"the DNS could not tell the MX of {}: {}", "{} の MX を DNS で確認できません: {}"},
    {"there is no domain {}", "{} というドメインはありません"},
    {"the domain {} takes no mail", "ドメイン {} はメールを受け取りません"},
};

/// In the reader's language, what is known of it.
std::string tell_recorded(std::string_view text, Language language) {
  static const std::array<std::span<const Phrase>, 3> kTables{
      std::span<const Phrase>(kRecorded), dmarc::problem_phrases(), dns::problem_phrases()};
  return printable(translate(text, kTables, language));
}

std::string tell_findings(const std::vector<Finding>& findings, Language language) {
  std::string text;
  for (auto& finding : findings) {
    if (auto check = tell_check(finding, language)) {
      text += *check;
      continue;
    }
    auto label = printable(label_of(finding, language));
    text += finding.reason.empty()
                ? say(language, kFindingBare, label)
                : say(language, kFinding, label, tell_recorded(finding.reason, language));
  }
  return text;
}

/// Whether the envelope's sender is known to be the one who sent it. Anybody can write any name
/// there.
bool is_sender_proven(const Arrival& arrival) {
  if (arrival.mail_from.empty()) return false;
  if (!arrival.login.empty()) return true;
  return std::ranges::any_of(arrival.findings, [](auto& finding) {
    return finding.check == "spf" && finding.result == "pass";
  });
}

/// There is no way on which somebody could have read it.
bool is_on_this_machine(const std::string& peer) {
  auto endpoint = Endpoint::parse(peer);
  return endpoint && endpoint->address.is_loopback();
}

std::string tell_arrival(const Story& story, Language language) {
  auto& arrival = *story.arrival;
  auto when = format_rfc3339(time_of(story.id));
  auto text = arrival.peer.empty() ? say(language, kCameLocally, when, arrival.protocol)
                                   : say(language, kCame, when, arrival.protocol, arrival.peer);
  if (!arrival.helo.empty()) text += say(language, kHelo, printable(arrival.helo));
  if (!arrival.peer_name.empty()) text += say(language, kNamed, printable(arrival.peer_name));
  if (!arrival.tls.empty())
    text += say(language, kEncrypted, arrival.tls);
  else if (!arrival.peer.empty() && !is_on_this_machine(arrival.peer))
    text += say(language, kInClear);
  if (!arrival.login.empty()) text += say(language, kLoggedIn, printable(arrival.login));
  auto sender = arrival.mail_from.empty() ? std::string(kNullSender.in(language))
                                          : printable(arrival.mail_from);
  // What was refused before its data came has an envelope only.
  auto proven = is_sender_proven(arrival);
  text += arrival.header_from.empty()
              ? say(language, proven ? kSender : kClaimedSender, sender)
              : say(language, proven ? kSentBy : kClaimed, printable(arrival.header_from), sender);
  if (arrival.size != 0)
    text +=
        say(language, kAbout,
            arrival.message_id.empty() ? say(language, kNoMessageId)
                                       : say(language, kMessageId, printable(arrival.message_id)),
            arrival.subject.empty() ? say(language, kNoSubject)
                                    : say(language, kSubject, printable(arrival.subject)),
            arrival.size);
  text += tell_findings(arrival.findings, language);
  for (auto& recipient : story.recipients) {
    auto address = printable(recipient.address);
    auto detail = tell_detail(recipient.detail, language);
    text += say(language, outcome_phrase(recipient.kind), address, detail);
  }
  return text;
}

std::string tell_attempt(const Story::Event& event, Language language) {
  auto& attempt = *event.attempt;
  if (attempt.result == "confirmed")
    return say(language, kConfirmed, format_rfc3339(event.at), printable(attempt.recipient)) +
           tell_findings(attempt.findings, language);
  auto text =
      say(language, kTried, format_rfc3339(event.at), attempt.number, printable(attempt.recipient));
  if (!attempt.host.empty())
    text += say(language, kAtHost, printable(attempt.host), attempt.endpoint);
  if (!attempt.tls.empty()) text += say(language, kOverTls, attempt.tls);
  auto result = attempt.result == "bounced" && attempt.host.empty() && attempt.endpoint.empty()
                    ? &kWasUncalled
                    : result_phrase(attempt.result);
  text += result ? std::string(result->in(language)) : ": " + attempt.result;
  text += '\n';
  // Without a status code it was not the other side that spoke.
  auto spoken = !attempt.reply.empty() && is_ascii_digit(attempt.reply.front());
  if (!attempt.reply.empty())
    text += say(language, spoken ? kReply : kWhy,
                spoken ? printable(attempt.reply) : tell_recorded(attempt.reply, language));
  text += tell_findings(attempt.findings, language);
  if (!attempt.next.empty()) text += say(language, kNext, attempt.next);
  return text;
}

void write_findings(JsonWriter& json, const std::vector<Finding>& findings) {
  json.key("findings").begin_array();
  for (auto& finding : findings) {
    json.begin_object()
        .member("check", finding.check)
        .member("result", finding.result)
        .member("reason", finding.reason)
        .end_object();
  }
  json.end_array();
}

}  // namespace

std::string tell(const Story& story, Language language) {
  auto text = say(language, kMessage, to_text(story.id));
  text += story.arrival ? tell_arrival(story, language) : std::string(kNoArrival.in(language));
  for (auto& event : story.events) {
    if (event.attempt) text += tell_attempt(event, language);
    if (event.note)
      text += format_rfc3339(event.at) + "  " + tell_recorded(event.note->text, language) + "\n";
  }
  return text;
}

std::string to_json(const Story& story) {
  JsonWriter json;
  json.begin_object()
      .member("id", to_text(story.id))
      .member("time", format_rfc3339(time_of(story.id)));
  if (story.arrival) {
    auto& arrival = *story.arrival;
    json.key("arrival")
        .begin_object()
        .member("protocol", arrival.protocol)
        .member("peer", arrival.peer)
        .member("peer_name", arrival.peer_name)
        .member("helo", arrival.helo)
        .member("tls", arrival.tls)
        .member("login", arrival.login)
        .member("mail_from", arrival.mail_from)
        .member("header_from", arrival.header_from)
        .member("message_id", arrival.message_id)
        .member("subject", arrival.subject)
        .member("size", arrival.size);
    write_findings(json, arrival.findings);
    json.end_object();
  }
  json.key("recipients").begin_array();
  for (auto& recipient : story.recipients) {
    using Kind = RecipientOutcome::Kind;
    auto is_lost = recipient.kind == Kind::Refused || recipient.kind == Kind::Lost;
    json.begin_object()
        .member("address", recipient.address)
        .member("outcome", to_string(recipient.kind))
        .member("detail", recipient.detail)
        .member("taker", is_lost                   ? ""
                         : recipient.taker.empty() ? recipient.address
                                                   : recipient.taker)
        .end_object();
  }
  json.end_array().key("events").begin_array();
  for (auto& event : story.events) {
    json.begin_object().member("time", format_rfc3339(event.at));
    if (event.attempt) {
      auto& attempt = *event.attempt;
      json.key("attempt")
          .begin_object()
          .member("recipient", attempt.recipient)
          .member("number", attempt.number)
          .member("host", attempt.host)
          .member("endpoint", attempt.endpoint)
          .member("tls", attempt.tls)
          .member("result", attempt.result)
          .member("reply", attempt.reply)
          .member("next", attempt.next);
      write_findings(json, attempt.findings);
      json.end_object();
    }
    if (event.note) json.member("note", event.note->text);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace hikyaku::story
