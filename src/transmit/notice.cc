#include "transmit/notice.h"

#include <algorithm>

#include "smtp/path.h"

namespace hikyaku::transmit {
namespace {

constexpr smtp::PathRules kAnyAddress{.characters = smtp::Characters::Utf8,
                                      .limits = smtp::kReversePathLimits};

/// The sender; null also when it is none to which one could write.
smtp::ReversePath sender_of(const queue::Message& message) {
  smtp::ReversePath from;
  if (message.mail_from.empty()) return from;
  if (auto sender = smtp::parse_mailbox(message.mail_from, kAnyAddress))
    from.mailbox = std::move(*sender);
  return from;
}

std::string_view protocol_of(const dsn::Report& report) {
  auto is = [&](dsn::Action action) {
    return std::ranges::find(report.recipients, action, &dsn::Recipient::action) !=
           report.recipients.end();
  };
  return is(dsn::Action::Failed) ? "BOUNCE" : is(dsn::Action::Delayed) ? "DELAY" : "DSN";
}

}  // namespace

bool is_wanted(const queue::Message& message, const queue::Entry& entry, dsn::Action action) {
  return dsn::is_wanted(action, queue::notify_of(entry), sender_of(message));
}

std::optional<queue::Injection> make_notice(const queue::Message& message,
                                            const std::vector<Outcome>& outcomes,
                                            const NoticeContext& context) {
  auto from = sender_of(message);
  dsn::Report report;
  for (auto& outcome : outcomes) {
    if (!dsn::is_wanted(outcome.action, queue::notify_of(outcome.entry), from)) continue;
    auto final_recipient = smtp::parse_mailbox(outcome.entry.recipient, kAnyAddress);
    if (!final_recipient) continue;
    dsn::Recipient recipient;
    recipient.original = queue::original_recipient(outcome.entry);
    recipient.final = std::move(*final_recipient);
    recipient.action = outcome.action;
    recipient.status = outcome.status;
    recipient.remote_mta = outcome.host;
    recipient.diagnostic = outcome.words;
    recipient.last_attempt = context.now;
    if (outcome.action == dsn::Action::Delayed) recipient.will_retry_until = context.expires;
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
  injection.protocol = protocol_of(report);
  injection.message =
      composed.front + (composed.with_message ? context.original : "") + composed.back;
  return injection;
}

}  // namespace hikyaku::transmit
