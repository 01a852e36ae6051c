#include <algorithm>
#include <vector>

#include "base/base64.h"
#include "base/text.h"
#include "crypto/hmac.h"
#include "dmarc/failure_report.h"
#include "dmarc/report_mail.h"
#include "mime/address.h"
#include "mime/compose.h"
#include "mime/header.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kDigestBytes = 12;   // 96 bits: enough to tell people apart
constexpr std::size_t kFieldBytes = 8192;  // of a kept field
constexpr std::size_t kFields = 60;
constexpr std::size_t kAddresses = 20;

/// Characters that would end a field become "?".
std::string one_line(std::string_view value) {
  std::string out;
  for (char c : value.substr(0, kFieldBytes)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

/// "Name: value" CRLF, folded at spaces.
void add_field(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  mime::HeaderWriter writer;
  writer.structured(name, one_line(value));
  out += writer.take();
}

/// Addresses of a field, each redacted; names and comments are gone.
std::string redact_list(std::string_view value, std::string_view key) {
  std::vector<std::string> list;
  for (auto& address : mime::parse_address_list(value, kAddresses))
    if (address.kind == mime::Address::Kind::Mailbox && !address.domain.empty())
      list.push_back(redact_address(address.local + '@' + address.domain, key));
  return join(list, ", ");
}

/// Links that nobody can follow by mistake: "http" becomes "hxxp".
std::string defang(std::string_view value) {
  std::string out(value);
  for (auto at = ifind(out, "http"); at != std::string::npos && at < out.size();) {
    out[at + 1] = out[at + 2] = 'x';
    auto next = ifind(std::string_view(out).substr(at + 4), "http");
    if (next == std::string_view::npos) break;
    at += 4 + next;
  }
  return out;
}

/// The signature without the local part of i=.
std::string redact_signature(std::string_view value, std::string_view key) {
  std::vector<std::string> tags;
  for (auto tag : split(value, ';')) {
    auto equals = tag.find('=');
    if (equals != tag.npos && iequals(trim(tag.substr(0, equals)), "i")) {
      auto identity = trim(tag.substr(equals + 1));
      auto at = identity.rfind('@');
      if (at != identity.npos && at > 0)
        tags.push_back(" i=" + redact_address(identity, key));
      else
        tags.emplace_back(tag);
    } else {
      tags.emplace_back(tag);
    }
  }
  return join(tags, ";");
}

std::string machine_part(const FailureReport& report, const FailureReportMail& mail) {
  std::string out;
  add_field(out, "Feedback-Type", to_string(report.type));
  add_field(out, "User-Agent", report.user_agent);
  add_field(out, "Version", "1");
  add_field(out, "Original-Mail-From",
            report.original_mail_from.empty()
                ? "<>"
                : '<' + redact_address(report.original_mail_from, mail.redaction_key) + '>');
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
  add_field(out, "DKIM-Domain", report.dkim_domain);
  if (auto& identity = report.dkim_identity; !identity.empty())
    add_field(out, "DKIM-Identity",
              identity.starts_with('@') ? identity : redact_address(identity, mail.redaction_key));
  add_field(out, "DKIM-Selector", report.dkim_selector);
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

std::string redact_address(std::string_view address, std::string_view key) {
  auto at = address.rfind('@');
  if (at == address.npos || at == 0) return {};
  auto digest = crypto::hmac(crypto::Hash::Sha256, key, to_lower(address.substr(0, at)));
  return base64url_encode(std::string_view(digest).substr(0, kDigestBytes)) +
         one_line(address.substr(at));
}

std::string redact_header(std::string_view header, std::string_view key, HeaderShown shown) {
  static constexpr std::string_view kMinimal[] = {"date", "message-id"};
  static constexpr std::string_view kAddressFields[] = {"from", "sender", "reply-to"};
  static constexpr std::string_view kKept[] = {"date",         "message-id", "mime-version",
                                               "content-type", "list-id",    "precedence",
                                               "user-agent",   "x-mailer"};
  std::string out;
  std::size_t fields = 0;
  for (auto& field : mime::HeaderView(header)) {
    if (field.is_junk() || ++fields > kFields) continue;
    auto value = mime::unfold(field.value.substr(0, kFieldBytes));
    auto is_one_of = [&](auto& names) {
      return std::ranges::any_of(names, [&](auto name) { return field.is(name); });
    };
    if (shown == HeaderShown::Minimal) {
      if (field.is("from")) add_field(out, field.name, redact_list(value, key));
      if (is_one_of(kMinimal)) add_field(out, field.name, value);
    } else if (is_one_of(kAddressFields))
      add_field(out, field.name, redact_list(value, key));
    else if (is_one_of(kKept))
      add_field(out, field.name, value);
    else if (field.is("subject"))
      add_field(out, field.name, defang(value));
    else if (field.is("dkim-signature"))
      add_field(out, field.name, redact_signature(value, key));
  }
  return out;
}

std::string compose_failure_report(const FailureReport& report, const FailureReportMail& mail) {
  auto domain = report.reported_domains.empty() ? std::string("unknown domain")
                                                : report.reported_domains.front();
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
      mime::compose_verbatim("message/feedback-report", machine_part(report, mail)),
      mime::compose_verbatim("text/rfc822-headers", redact_header(report.original_header,
                                                                  mail.redaction_key, mail.shown))};
  auto body = mime::compose_multipart("report", "report-type=feedback-report", parts, mail.unique);
  return mime::compose_message(header.fields(), body);
}

}  // namespace hikyaku::dmarc
