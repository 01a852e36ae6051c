#include "dsn/words.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "smtp/received.h"

namespace hikyaku::dsn {
namespace {

constexpr Action kOrder[] = {Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed,
                             Action::Expanded};

const Phrase& heading(Action action) {
  static constexpr Phrase kFailed{"Your message could not be delivered to:",
                                  "次の宛先にメッセージを配送できませんでした:"};
  static constexpr Phrase kDelayed{
      "Your message has not been delivered yet to the recipients below. We keep trying; you\n"
      "need not send it again:",
      "次の宛先への配送が遅れています。配送は続けられますので、送り直す必要はありません:"};
  static constexpr Phrase kDelivered{"Your message was delivered to:",
                                     "次の宛先にメッセージを配送しました:"};
  static constexpr Phrase kRelayed{
      "Your message was handed to the recipient's server, which does not confirm deliveries:",
      "次の宛先のサーバーにメッセージを渡しました。その先の配送は通知されません:"};
  static constexpr Phrase kExpanded{"Your message was sent on to the members of:",
                                    "次の宛先の参加者にメッセージを転送しました:"};
  switch (action) {
    case Action::Failed:
      return kFailed;
    case Action::Delayed:
      return kDelayed;
    case Action::Delivered:
      return kDelivered;
    case Action::Relayed:
      return kRelayed;
    case Action::Expanded:
      break;
  }
  return kExpanded;
}

constexpr Phrase kIntroduction{
    "This is the mail system at {}, with news about a message of yours.",
    "{} のメールシステムから、お送りになったメッセージについてお知らせします。"};
constexpr Phrase kAnswered{"The server {} answered:", "サーバー {} の応答:"};
constexpr Phrase kUntil{"We try until {}.", "{} まで配送を試みます。"};
constexpr Phrase kForwarded{"(It was on its way from {}.)", "（{} からの転送先です。）"};
constexpr Phrase kClosing{"Details for your postmaster, and the message, are attached.",
                          "管理者向けの詳細と元のメッセージを添付します。"};

/// Lines of at most 76 columns, each indented; breaks at spaces, long words stay whole.
std::string indented(std::string_view text, std::string_view indent) {
  std::string result;
  std::string line;
  auto flush = [&] {
    if (!line.empty()) result += fmt::format("{}{}\r\n", indent, line);
    line.clear();
  };
  for (auto word : split(text, ' ')) {
    if (word.empty()) continue;
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > 76) flush();
    if (!line.empty()) line += ' ';
    line += word;
  }
  flush();
  return result;
}

std::string about(const Recipient& recipient, Language language) {
  auto shown = recipient.final.to_unicode();
  auto text = fmt::format("\r\n  <{}>\r\n", printable(shown, 400));
  if (recipient.original && !iequals(recipient.original->address, shown))
    text +=
        indented(say(language, kForwarded, printable(recipient.original->address, 400)), "    ");
  if (recipient.status.klass != 2) text += indented(explain(recipient.status).in(language), "    ");
  if (!recipient.diagnostic.empty()) {
    if (!recipient.remote_mta.empty())
      text += indented(say(language, kAnswered, printable(recipient.remote_mta, 255)), "    ");
    text += indented(printable(recipient.diagnostic, 1000), "      ");
  }
  if (recipient.action == Action::Delayed && recipient.will_retry_until)
    text += indented(say(language, kUntil, smtp::format_message_date(*recipient.will_retry_until)),
                     "    ");
  return text;
}

std::string about_message(const Report& report) {
  std::string text;
  for (auto name : {"Subject", "Date", "Message-ID"}) {
    auto value = mime::decode_words(mime::HeaderView(report.original_header).value(name));
    if (!value.empty()) text += fmt::format("  {}: {}\r\n", name, printable(value, 400));
  }
  return text.empty() ? text : "\r\n" + text;
}

std::string words_in(const Report& report, Language language) {
  auto text = with_crlf(say(language, kIntroduction, report.reporting_mta)) + "\r\n";
  text += about_message(report);
  for (auto action : kOrder) {
    bool first = true;
    for (const auto& recipient : report.recipients) {
      if (recipient.action != action) continue;
      if (std::exchange(first, false))
        text += "\r\n" + with_crlf(heading(action).in(language)) + "\r\n";
      text += about(recipient, language);
    }
  }
  return text + "\r\n" + with_crlf(kClosing.in(language)) + "\r\n";
}

}  // namespace

std::string subject_of(const Report& report) {
  auto has = [&](Action action) {
    return std::ranges::find(report.recipients, action, &Recipient::action) !=
           report.recipients.end();
  };
  std::string_view outcome = has(Action::Failed)      ? "Not delivered"
                             : has(Action::Delayed)   ? "Delayed"
                             : has(Action::Delivered) ? "Delivered"
                                                      : "Sent on";
  const auto& first = report.recipients.front().final;
  auto others = report.recipients.size() - 1;
  auto name = first.needs_utf8() ? "a recipient at " + first.domain : first.to_string();
  if (others == 0) return fmt::format("{}: your message to {}", outcome, name);
  return fmt::format("{}: your message to {} and {} more", outcome, name, others);
}

std::string words_of(const Report& report) {
  auto english = words_in(report, Language::English);
  if (report.language == Language::English) return english;
  return words_in(report, report.language) + "\r\n--------\r\n\r\n" + english;
}

}  // namespace hikyaku::dsn
