#include "transmit/notice.h"

#include "smtp/path.h"

namespace hikyaku::transmit {
namespace {

constexpr smtp::PathRules kAnyAddress{.characters = smtp::Characters::Utf8,
                                      .limits = smtp::kReversePathLimits};

std::optional<smtp::Notify> notify_of(const queue::Entry& entry) {
  if (entry.notify == queue::kNotifyDefault) return std::nullopt;
  return smtp::Notify{.success = (entry.notify & queue::kNotifySuccess) != 0,
                      .failure = (entry.notify & queue::kNotifyFailure) != 0,
                      .delay = (entry.notify & queue::kNotifyDelay) != 0};
}

}  // namespace

std::optional<queue::Injection> make_notice(const queue::Message& message,
                                            const std::vector<Outcome>& outcomes,
                                            dsn::Action action, const NoticeContext& context) {
  smtp::ReversePath from;
  if (!message.mail_from.empty()) {
    auto sender = smtp::parse_mailbox(message.mail_from, kAnyAddress);
    if (!sender) return std::nullopt;
    from.mailbox = std::move(*sender);
  }
  if (from.is_null()) return std::nullopt;

  dsn::Report report;
  for (auto& outcome : outcomes) {
    if (!dsn::is_wanted(action, notify_of(outcome.entry), from)) continue;
    auto final_recipient = smtp::parse_mailbox(outcome.entry.recipient, kAnyAddress);
    if (!final_recipient) continue;
    dsn::Recipient recipient;
    if (!outcome.entry.original.empty() && outcome.entry.original != outcome.entry.recipient) {
      recipient.original = smtp::OriginalRecipient{"rfc822", outcome.entry.original};
    }
    recipient.final = std::move(*final_recipient);
    recipient.action = action;
    recipient.status = outcome.status;
    recipient.remote_mta = outcome.host;
    recipient.diagnostic = outcome.words;
    recipient.last_attempt = context.now;
    if (action == dsn::Action::Delayed) recipient.will_retry_until = context.expires;
    report.recipients.push_back(std::move(recipient));
  }
  if (report.recipients.empty()) return std::nullopt;

  report.reporting_mta = context.host_name;
  if (!message.envelope_id.empty()) report.envelope_id = message.envelope_id;
  report.arrival = message.arrived;
  report.to = *from.mailbox;
  report.message_id = context.message_id;
  report.boundary = context.boundary;
  report.now = context.now;
  report.language = context.language;
  report.original_header = context.original_header;
  report.returned = context.original.empty() ? smtp::Return::Headers : smtp::Return::Full;
  report.original_has_8bit = message.eight_bit;
  report.original_has_utf8_header = message.smtputf8;
  auto composed = dsn::compose(report);

  queue::Injection injection;
  injection.recipients = {message.mail_from};
  injection.protocol = action == dsn::Action::Delayed  ? "DELAY"
                       : action == dsn::Action::Failed ? "BOUNCE"
                                                       : "DSN";
  injection.message =
      composed.front + (composed.with_message ? context.original : "") + composed.back;
  return injection;
}

}  // namespace hikyaku::transmit
