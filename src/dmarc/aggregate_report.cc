// Writing aggregate reports; parse_aggregate.cc reads them.
#include "dmarc/aggregate_report.h"

#include <algorithm>

#include "base/text.h"
#include "dmarc/tags_internal.h"
#include "dmarc/xml_reader.h"
#include "dns/name.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kPiece = 8 * 1024;
constexpr std::size_t kMostSignatures = 100;  // RFC 9990 §3.1.1.11

/// How much a signature says: strictly aligned, aligned by a common end, passed, not passed.
int rank(const ReportedDkim& signature, const std::string& header_from) {
  if (signature.result != dkim::Result::Pass) return 3;
  if (iequals(signature.domain, header_from)) return 0;
  auto domain = to_lower(signature.domain), from = to_lower(header_from);
  return dns::is_within(domain, from) || dns::is_within(from, domain) ? 1 : 2;
}

std::string_view letter(Alignment alignment) {
  return alignment == Alignment::Strict ? "s" : "r";
}

std::string_view pass_or_fail(bool pass) {
  return pass ? "pass" : "fail";
}

}  // namespace

void AggregateWriter::open(std::string_view name) {
  buffer_.append(static_cast<std::size_t>(depth_++) * 2, ' ')
      .append("<")
      .append(name)
      .append(">\n");
}

void AggregateWriter::close(std::string_view name) {
  buffer_.append(static_cast<std::size_t>(--depth_) * 2, ' ')
      .append("</")
      .append(name)
      .append(">\n");
}

void AggregateWriter::element(std::string_view name, std::string_view value) {
  buffer_.append(static_cast<std::size_t>(depth_) * 2, ' ').append("<").append(name).append(">");
  buffer_.append(xml_escape(value)).append("</").append(name).append(">\n");
}

void AggregateWriter::optional_element(std::string_view name, std::string_view value) {
  if (!value.empty()) element(name, value);
}

void AggregateWriter::flush_if_full() {
  if (buffer_.size() < kPiece) return;
  sink_(buffer_);
  buffer_.clear();
}

void AggregateWriter::begin(const ReportMetadata& metadata, const PublishedPolicy& policy) {
  buffer_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback xmlns=\"";
  buffer_.append(kReportNamespace).append("\">\n");
  depth_ = 1;
  element("version", "1.0");
  open("report_metadata");
  element("org_name", metadata.org_name);
  element("email", metadata.email);
  optional_element("extra_contact_info", metadata.extra_contact_info);
  element("report_id", metadata.report_id);
  open("date_range");
  element("begin", std::to_string(metadata.begin));
  element("end", std::to_string(metadata.end));
  close("date_range");
  optional_element("error", metadata.error);
  optional_element("generator", metadata.generator);
  close("report_metadata");

  open("policy_published");
  element("domain", policy.domain);
  if (policy.discovery_method)
    element("discovery_method",
            *policy.discovery_method == DiscoveryMethod::TreeWalk ? "treewalk" : "psl");
  element("p", to_string(policy.p.value_or(Policy::None)));
  if (policy.sp) element("sp", to_string(*policy.sp));
  if (policy.np) element("np", to_string(*policy.np));
  optional_element("fo", policy.fo);
  if (policy.adkim) element("adkim", letter(*policy.adkim));
  if (policy.aspf) element("aspf", letter(*policy.aspf));
  if (policy.testing) element("testing", *policy.testing ? "y" : "n");
  close("policy_published");
}

void AggregateWriter::record(const ReportRecord& record) {
  open("record");
  open("row");
  element("source_ip", record.source.to_string());
  element("count", std::to_string(record.count));
  open("policy_evaluated");
  element("disposition", to_string(record.disposition));
  element("dkim", pass_or_fail(record.dkim_aligned));
  element("spf", pass_or_fail(record.spf_aligned));
  for (auto& reason : record.reasons) {
    open("reason");
    element("type", to_string(reason.type));
    optional_element("comment", reason.comment);
    close("reason");
  }
  close("policy_evaluated");
  close("row");
  open("identifiers");
  element("header_from", record.header_from);
  element("envelope_from", record.envelope_from);
  optional_element("envelope_to", record.envelope_to);
  close("identifiers");
  auth_results(record);
  close("record");
  flush_if_full();
}

void AggregateWriter::auth_results(const ReportRecord& record) {
  open("auth_results");
  std::vector<const ReportedDkim*> signatures;
  for (auto& signature : record.dkim) signatures.push_back(&signature);
  if (signatures.size() > kMostSignatures) {
    std::ranges::stable_sort(signatures, {},
                             [&](auto* signature) { return rank(*signature, record.header_from); });
    signatures.resize(kMostSignatures);
  }
  for (auto* signature : signatures) {
    open("dkim");
    element("domain", signature->domain);
    element("selector", signature->selector);
    element("result", dkim::to_string(signature->result));
    optional_element("human_result", signature->human_result);
    close("dkim");
  }
  for (auto& spf : record.spf) {
    if (spf.scope == ReportedSpf::Scope::Helo) continue;  // RFC 9990 knows MAIL FROM alone
    open("spf");
    element("domain", spf.domain);
    element("scope", "mfrom");
    element("result", spf.by_policy ? "policy" : spf::to_string(spf.result));
    optional_element("human_result", spf.human_result);
    close("spf");
    break;  // at most one
  }
  close("auth_results");
}

void AggregateWriter::end() {
  buffer_ += "</feedback>\n";
  sink_(buffer_);
  buffer_.clear();
}

PublishedPolicy published_policy(std::string_view policy_domain, const Record& record) {
  PublishedPolicy policy;
  policy.domain = policy_domain;
  policy.discovery_method = DiscoveryMethod::TreeWalk;
  policy.p = record.p.value_or(Policy::None);
  policy.sp = record.sp;
  policy.np = record.np;
  policy.adkim = record.adkim;
  policy.aspf = record.aspf;
  policy.testing = record.testing;
  auto rest = after_version(record.text);
  Tag tag;
  while (rest && next_tag(*rest, tag)) {
    if (!tag.has_equals || known_tag(tag.name) != KnownTag::Fo) continue;
    if (is_valid_value(KnownTag::Fo, tag.value)) policy.fo = tag.value;
    break;
  }
  return policy;
}

ReportRecord report_record(const Outcome& outcome, const Evidence& evidence,
                           const Disposition& disposition, ReportedMessage message) {
  ReportRecord record;
  record.source = message.source;
  record.count = 1;
  record.disposition = disposition.applied;
  record.dkim_aligned = outcome.dkim_aligned;
  record.spf_aligned = outcome.spf_aligned;
  if (disposition.overridden) record.reasons.push_back(*disposition.overridden);
  record.header_from = outcome.discovery.author_domain;
  record.envelope_from = std::move(message.envelope_from);
  if (evidence.dkim)
    for (auto& signature : *evidence.dkim)
      if (!signature.domain.empty())
        record.dkim.push_back({signature.domain, signature.selector, signature.result, {}});
  if (evidence.spf && !evidence.spf->domain.empty())
    record.spf.push_back(
        {evidence.spf->domain, ReportedSpf::Scope::MailFrom, evidence.spf->result, false, {}});
  return record;
}

}  // namespace hikyaku::dmarc
