#include "dsn/report.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/text.h"
#include "dsn/fields.h"
#include "dsn/words.h"
#include "mime/header.h"
#include "mime/transfer.h"
#include "smtp/received.h"

namespace hikyaku::dsn {
namespace {

constexpr std::array<std::string_view, 5> kActions{"failed", "delayed", "delivered", "relayed",
                                                   "expanded"};
constexpr std::size_t kMaxDiagnostic = 2000;

/// "rfc822; a@b", or "utf-8; …" where the address is not ASCII (RFC 6533 §3).
std::string typed_address(const smtp::Mailbox& mailbox, bool utf8) {
  if (!mailbox.needs_utf8()) return "rfc822; " + mailbox.to_string();
  auto text = smtp::format_orcpt({"utf-8", mailbox.to_string()}, utf8);
  return text.insert(text.find(';') + 1, " ");
}

/// Original-Recipient: the ORCPT as it came, xtext undone (RFC 3464 §2.3.1).
std::string original_address(const smtp::OriginalRecipient& original, bool utf8) {
  if (!iequals(original.type, "utf-8"))
    return fmt::format("{}; {}", original.type, original.address);
  auto text = smtp::format_orcpt(original, utf8);
  return text.insert(text.find(';') + 1, " ");
}

std::string recipient_fields(const Recipient& recipient, bool utf8) {
  auto field = [&](std::string_view name, std::string_view value) {
    return format_field(name, value, utf8);
  };
  std::string text = "\r\n";
  if (recipient.original)
    text += field("Original-Recipient", original_address(*recipient.original, utf8));
  text += field("Final-Recipient", typed_address(recipient.final, utf8));
  text += field("Action", to_string(recipient.action));
  text += field("Status", recipient.status.to_string());
  if (!recipient.remote_mta.empty()) text += field("Remote-MTA", "dns; " + recipient.remote_mta);
  if (!recipient.diagnostic.empty()) {
    auto type = recipient.remote_mta.empty() ? "x-hikyaku; " : "smtp; ";
    text += field("Diagnostic-Code", type + recipient.diagnostic.substr(0, kMaxDiagnostic));
  }
  if (recipient.last_attempt)
    text += field("Last-Attempt-Date", smtp::format_message_date(*recipient.last_attempt));
  if (recipient.will_retry_until)
    text += field("Will-Retry-Until", smtp::format_message_date(*recipient.will_retry_until));
  return text;
}

std::string status_part(const Report& report, bool utf8) {
  std::string text;
  if (report.envelope_id) text += format_field("Original-Envelope-Id", *report.envelope_id, utf8);
  text += format_field("Reporting-MTA", "dns; " + report.reporting_mta, utf8);
  if (report.arrival)
    text += format_field("Arrival-Date", smtp::format_message_date(*report.arrival), utf8);
  for (const auto& recipient : report.recipients) text += recipient_fields(recipient, utf8);
  return text;
}

std::string text_part(const std::string& text) {
  if (is_ascii(text)) return "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text;
  return "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
         mime::encode_base64_body(text);
}

/// The header fields of the report itself.
std::string own_header(const Report& report, bool utf8, bool eight_bit) {
  auto text = format_field(
      "From", fmt::format("Mail Delivery <MAILER-DAEMON@{}>", report.reporting_mta), utf8);
  text += format_field("To", fmt::format("<{}>", report.to.to_string()), utf8);
  text += format_field("Subject", subject_of(report), utf8);
  text += format_field("Date", smtp::format_message_date(report.now), utf8);
  text += format_field("Message-ID", fmt::format("<{}>", report.message_id), utf8);
  auto original_id = mime::HeaderView(report.original_header).value("Message-ID");
  if (original_id.starts_with('<') && original_id.size() < 500) {
    text += format_field("In-Reply-To", original_id, utf8);
    text += format_field("References", original_id, utf8);
  }
  text += "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";
  if (eight_bit) text += "Content-Transfer-Encoding: 8bit\r\n";
  text += fmt::format("Content-Type: multipart/report; report-type={};\r\n boundary=\"{}\"\r\n\r\n",
                      utf8 ? "global-delivery-status" : "delivery-status", report.boundary);
  return text;
}

/// Whether the report has UTF-8 in its own fields (RFC 6533 §5): it can only go where the message
/// came from, and that was with SMTPUTF8.
bool is_utf8_report(const Report& report) {
  auto not_ascii = [](const Recipient& recipient) {
    return recipient.final.needs_utf8() ||
           (recipient.original && !is_ascii(recipient.original->address));
  };
  return report.original_has_utf8_header || report.to.needs_utf8() ||
         std::ranges::any_of(report.recipients, not_ascii);
}

}  // namespace

std::string_view to_string(Action action) {
  return kActions[static_cast<std::size_t>(action)];
}

std::optional<Action> parse_action(std::string_view text) {
  for (std::size_t i = 0; i < kActions.size(); ++i)
    if (iequals(text, kActions[i])) return static_cast<Action>(i);
  return std::nullopt;
}

bool is_wanted(Action action, const std::optional<smtp::Notify>& notify,
               const smtp::ReversePath& from) {
  if (from.is_null()) return false;
  switch (action) {
    case Action::Failed:
      return !notify || notify->failure;
    case Action::Delayed:
      return !notify || notify->delay;
    case Action::Delivered:
    case Action::Relayed:
    case Action::Expanded:
      break;
  }
  return notify && notify->success;
}

Composed compose(const Report& report) {
  Composed composed;
  bool full = report.returned == smtp::Return::Full;
  bool utf8 = is_utf8_report(report);
  composed.with_message = full;
  composed.has_utf8_header = utf8;
  composed.has_8bit =
      utf8 || (full && report.original_has_8bit) || !is_ascii(report.original_header);

  std::string_view encoding = composed.has_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "";
  auto delimiter = fmt::format("\r\n--{}", report.boundary);
  auto& text = composed.front;
  text = own_header(report, utf8, composed.has_8bit);
  text += fmt::format("--{}\r\n{}", report.boundary, text_part(words_of(report)));
  text += fmt::format("{}\r\nContent-Type: message/{}delivery-status\r\n{}\r\n{}", delimiter,
                      utf8 ? "global-" : "", utf8 ? encoding : "", status_part(report, utf8));
  bool global = report.original_has_utf8_header;
  auto type = full     ? (global ? "message/global" : "message/rfc822")
              : global ? "message/global-headers"
                       : "text/rfc822-headers";
  text += fmt::format("{}\r\nContent-Type: {}\r\n{}\r\n", delimiter, type, encoding);
  if (!full) text += report.original_header;
  composed.back = fmt::format("{}--\r\n", delimiter);
  return composed;
}

}  // namespace hikyaku::dsn
