#include <vector>

#include "base/text.h"
#include "dmarc/failure_report.h"
#include "dmarc/redaction.h"
#include "dmarc/report_mail.h"
#include "mime/compose.h"

namespace hikyaku::dmarc {
namespace {

/// "Name: value" CRLF, folded at spaces.
void add_field(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  mime::HeaderWriter writer;
  writer.structured(name, one_line(value));
  out += writer.take();
}

std::string machine_part(const FailureReport& report, const Redactor& redactor) {
  std::string out;
  add_field(out, "Feedback-Type", to_string(report.type));
  add_field(out, "User-Agent", report.user_agent);
  add_field(out, "Version", "1");
  add_field(out, "Original-Mail-From",
            report.original_mail_from.empty()
                ? "<>"
                : '<' + redactor.address(report.original_mail_from) + '>');
  if (report.arrival) {
    mime::HeaderWriter date;
    date.date("Arrival-Date", *report.arrival);
    out += date.take();
  }
  if (report.source_ip) add_field(out, "Source-IP", report.source_ip->to_string());
  if (report.source_port != 0) add_field(out, "Source-Port", std::to_string(report.source_port));
  if (!report.reporting_mta.empty())
    add_field(out, "Reporting-MTA", "dns; " + report.reporting_mta);
  for (auto& value : report.authentication_results) add_field(out, "Authentication-Results", value);
  add_field(out, "Auth-Failure", to_string(report.auth_failure));
  add_field(out, "Delivery-Result", to_string(report.delivery_result));
  if (auto& alignment = report.identity_alignment) {
    std::vector<std::string> failed;
    if (alignment->dkim_failed) failed.emplace_back("dkim");
    if (alignment->spf_failed) failed.emplace_back("spf");
    add_field(out, "Identity-Alignment", failed.empty() ? "none" : join(failed, ", "));
  }
  for (auto& domain : report.reported_domains) add_field(out, "Reported-Domain", domain);
  add_field(out, "DKIM-Domain", redactor.property("d", report.dkim_domain));
  if (auto& identity = report.dkim_identity; !identity.empty())
    add_field(out, "DKIM-Identity", redactor.property("i", identity));
  add_field(out, "DKIM-Selector", redactor.property("s", report.dkim_selector));
  if (!redactor.names_hidden(report.spf_dns, Redactor::Of::Address))
    add_field(out, "SPF-DNS", report.spf_dns);
  if (report.incidents > 1) add_field(out, "Incidents", std::to_string(report.incidents));
  return out;
}

std::string text_for_people(const FailureReport& report) {
  std::string text = "This is a report about mail that did not pass DMARC";
  if (!report.reported_domains.empty())
    text += " for " + printable(report.reported_domains.front(), 253);
  text += ".\n\n";
  if (report.source_ip) text += "It came from " + report.source_ip->to_string() + ".\n";
  if (report.incidents > 1)
    text += "It stands for " + std::to_string(report.incidents) + " such messages.\n";
  text +=
      "\nThe domain's DMARC record (ruf) asks for such reports. Addresses are not shown in full,"
      "\nand nothing of the message's content is (RFC 6590, RFC 9991).\n";
  return text;
}

}  // namespace

std::string compose_failure_report(const FailureReport& report, const FailureReportMail& mail) {
  auto domain = report.reported_domains.empty() ? std::string("unknown domain")
                                                : report.reported_domains.front();
  Redactor redactor(mail.redaction_key);
  for (auto& recipient : mail.recipients) redactor.hide(recipient);
  redactor.hide_recipients(report.original_header);
  std::vector<mime::NamedAddress> to;
  for (auto& address : mail.to) to.push_back({{}, address});
  mime::HeaderWriter header;
  header.date("Date", mail.now)
      .addresses("From", {{"", mail.from}})
      .addresses("To", to)
      .message_ids("Message-ID", {mail.message_id})
      .text("Subject", format_failure_subject(domain))
      .structured("Auto-Submitted", "auto-generated");
  std::vector<mime::ComposedPart> parts{
      mime::compose_text(text_for_people(report)),
      mime::compose_verbatim("message/feedback-report", machine_part(report, redactor)),
      mime::compose_verbatim("text/rfc822-headers",
                             redactor.header(report.original_header, mail.shown))};
  auto body = mime::compose_multipart("report", "report-type=feedback-report", parts, mail.unique);
  return mime::compose_message(header.fields(), body);
}

}  // namespace hikyaku::dmarc
