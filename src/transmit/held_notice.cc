#include "transmit/held_notice.h"

#include <algorithm>

#include "base/text.h"
#include "mime/compose.h"
#include "transmit/notice.h"

namespace hikyaku::transmit {
namespace {

constexpr Phrase kSubject{"Held: your message to {}", "保留中: {} 宛てのメッセージ"};
constexpr Phrase kSubjectMore{"Held: your message to {} and {} more",
                              "保留中: {} ほか {} 件宛てのメッセージ"};
constexpr Phrase kSubjectOther{"Held: a message to {}", "保留中: {} 宛てのメッセージ"};
constexpr Phrase kIntroduction{
    "This is the mail system at {}. A message {}is held:\n",
    "{} のメールシステムからのお知らせです。{}次のメッセージの送信を保留しています。\n"};
constexpr Phrase kOfYours{"of yours ", "お送りになった"};
constexpr Phrase kTo{"  To: <{}>\n", "  宛先: <{}>\n"};
constexpr Phrase kMore{"  and {} more recipients\n", "  ほか {} 件の宛先\n"};
constexpr Phrase kFrom{"  From: <{}>\n", "  差出人: <{}>\n"};
constexpr Phrase kAbout{"  Subject: {}\n  Message-ID: {}\n", "  件名: {}\n  Message-ID: {}\n"};
constexpr Phrase kReason{
    "\nWhile it was being sent, the mail server ended unexpectedly, three times. So that\n"
    "this does not go on, the message is no longer tried by itself. It is kept; nothing\n"
    "of it is lost.\n",
    "\n送信の途中で、メールサーバーが三度、予期せず終了しました。繰り返しを防ぐため、\n"
    "自動の再送を止めています。メッセージは保管されており、失われていません。\n"};
constexpr Phrase kDamaged{
    "\nThe mail server can no longer read it from its disk, so it cannot be sent as it is.\n",
    "\nメールサーバーがディスクから読み出せなくなったため、このままでは送信できません。\n"};
constexpr Phrase kSenderCan{
    "\nWhat you can do: tell your postmaster, with the id {0}. If it is urgent, reach\n"
    "the recipient in another way, or send the text again as a new message.\n",
    "\nできること: 管理者 (postmaster) に ID {0} をお知らせください。お急ぎの場合は、\n"
    "別の方法で相手に連絡するか、新しいメッセージとして送り直してください。\n"};
constexpr Phrase kOperatorCan{
    "\nThe administrator of the server decides what becomes of it:\n\n"
    "  hikyaku queue show {0}      what is known of it\n"
    "  hikyaku queue release {0}   tries it again\n"
    "  hikyaku queue drop {0}      throws it away\n\n"
    "The server's log tells how it ended; an update may have mended the cause.\n",
    "\nサーバーの管理者は次のコマンドで扱いを決められます。\n\n"
    "  hikyaku queue show {0}      経過を見る\n"
    "  hikyaku queue release {0}   もう一度送信する\n"
    "  hikyaku queue drop {0}      破棄する\n\n"
    "終了の経緯はサーバーのログにあります。更新で原因が直っていることもあります。\n"};

constexpr Phrase kOperatorCanMend{
    "\nThe administrator of the server decides what becomes of it:\n\n"
    "  hikyaku verify              with the server stopped: what is damaged\n"
    "  hikyaku queue release {0}   tries it again, once it can be read\n"
    "  hikyaku queue drop {0}      throws it away\n",
    "\nサーバーの管理者は次のコマンドで扱いを決められます。\n\n"
    "  hikyaku verify              サーバーを止めて、何が破損しているかを調べる\n"
    "  hikyaku queue release {0}   読めるようになったら、もう一度送信する\n"
    "  hikyaku queue drop {0}      破棄する\n"};

/// Recipients that the text names.
constexpr std::size_t kNamed = 20;

std::string words_in(const HeldNotice& notice, Language language) {
  auto yours = notice.to_sender ? std::string(kOfYours.in(language)) : std::string();
  auto text = say(language, kIntroduction, notice.host_name, yours) + '\n';
  if (!notice.to_sender && !notice.message.mail_from.empty())
    text += say(language, kFrom, printable(notice.message.mail_from, 300));
  for (std::size_t i = 0; i < std::min(notice.entries.size(), kNamed); ++i)
    text += say(language, kTo, printable(notice.entries[i].recipient, 300));
  if (notice.entries.size() > kNamed) text += say(language, kMore, notice.entries.size() - kNamed);
  if (!notice.arrival.message_id.empty() || !notice.arrival.subject.empty())
    text += say(language, kAbout, printable(notice.arrival.subject, 200),
                printable(notice.arrival.message_id, 300));
  bool damaged = notice.entries.front().hold_reason == queue::kUnreadable;
  text += say(language, damaged ? kDamaged : kReason);
  auto id = story::to_text(notice.message.id);
  if (notice.to_sender) text += say(language, kSenderCan, id);
  return text + say(language, damaged ? kOperatorCanMend : kOperatorCan, id);
}

std::string subject_of(const HeldNotice& notice) {
  auto first = printable(notice.entries.front().recipient, 200);
  auto others = notice.entries.size() - 1;
  if (!notice.to_sender) return say(notice.language, kSubjectOther, first);
  if (others == 0) return say(notice.language, kSubject, first);
  return say(notice.language, kSubjectMore, first, others);
}

}  // namespace

bool is_for_sender(const queue::Message& message, const std::vector<queue::Entry>& entries) {
  return std::ranges::any_of(entries, [&](auto& entry) {
    return is_wanted(message, entry, dsn::Action::Delayed) ||
           is_wanted(message, entry, dsn::Action::Failed);
  });
}

queue::Injection make_held_notice(const HeldNotice& notice) {
  mime::HeaderWriter header;
  header.addresses("From", {{"Mail Delivery", "MAILER-DAEMON@" + notice.host_name}})
      .addresses("To", {{"", notice.to}})
      .text("Subject", subject_of(notice))
      .date("Date", notice.now)
      .message_ids("Message-ID",
                   {mime::make_message_id(notice.now, notice.unique, notice.host_name)})
      .structured("Auto-Submitted", "auto-generated");
  auto text = words_in(notice, notice.language);
  if (notice.language != Language::English)
    text += "\n--------\n\n" + words_in(notice, Language::English);
  queue::Injection injection;
  injection.recipients = {notice.to};
  injection.protocol = "HELD";
  injection.message = mime::compose_message(header.fields(), mime::compose_text(text));
  return injection;
}

}  // namespace hikyaku::transmit
