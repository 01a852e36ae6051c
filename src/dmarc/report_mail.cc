#include "dmarc/report_mail.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "dmarc/unpack.h"
#include "mime/transfer.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::string_view kFailureSubject = "DMARC failure report for ";

/// The word behind `label`, up to space or comma.
std::string word_after(std::string_view text, std::string_view label) {
  auto at = ifind(text, label);
  if (at == text.npos) return {};
  auto rest = trim(text.substr(at + label.size()));
  return std::string(rest.substr(0, std::min(rest.find_first_of(" \t\r\n,;"), rest.size())));
}

bool is_domain_like(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return is_ascii_alnum(c) || c == '.' || c == '-' || c == '_';
  });
}

/// How sure a part's media type makes that it is a report.
bool is_report_type(const mime::Part& part) {
  static constexpr std::string_view kTypes[] = {
      "application/gzip",  "application/x-gzip",           "application/zip",
      "text/xml",          "application/x-zip-compressed", "application/xml",
      "application/x-zip", "application/octet-stream"};
  auto type = to_lower(part.shown_type()) + '/' + to_lower(part.shown_subtype());
  return std::ranges::find(kTypes, type) != std::end(kTypes);
}

bool looks_like_report(std::string_view bytes) {
  if (packing_of(bytes) != Packing::Plain) return true;
  return ifind(bytes.substr(0, 4096), "<feedback") != std::string_view::npos;
}

}  // namespace

std::string format_report_subject(const ReportSubject& subject) {
  auto text = "Report Domain: " + subject.domain + " Submitter: " + subject.submitter;
  if (!subject.report_id.empty()) text += " Report-ID: <" + subject.report_id + '>';
  return text;
}

std::optional<ReportSubject> parse_report_subject(std::string_view text) {
  ReportSubject subject;
  subject.domain = to_lower(word_after(text, "Report Domain:"));
  if (!is_domain_like(subject.domain)) return std::nullopt;
  subject.submitter = to_lower(word_after(text, "Submitter:"));
  if (!is_domain_like(subject.submitter)) subject.submitter.clear();
  subject.report_id = word_after(text, "Report-ID:");
  std::erase_if(subject.report_id, [](char c) { return c == '<' || c == '>'; });
  return subject;
}

std::string format_failure_subject(std::string_view domain) {
  return std::string(kFailureSubject) + printable(domain, 253);
}

std::optional<std::string> parse_failure_subject(std::string_view text) {
  auto domain = to_lower(word_after(text, kFailureSubject));
  if (!is_domain_like(domain) || !domain.contains('.')) return std::nullopt;
  return domain;
}

std::string format_report_file_name(const ReportFileName& name, ReportFile kind) {
  auto text = name.receiver + '!' + name.policy_domain + '!' + std::to_string(name.begin) + '!' +
              std::to_string(name.end);
  if (!name.unique.empty()) text += '!' + name.unique;
  return text + (kind == ReportFile::Gzip ? ".xml.gz" : ".xml");
}

hikyaku::Result<std::string> find_aggregate_report(const mime::Message& message,
                                                   std::size_t limit) {
  // Parts that call themselves archives or XML first; then whatever is one by its bytes.
  for (bool by_type : {true, false}) {
    for (auto& part : message.parts) {
      if (part.kind != mime::PartKind::Leaf || is_report_type(part) != by_type) continue;
      auto body = message.body(part);
      // Enough of it to see what it is.
      auto head = mime::decode_transfer(body.substr(0, 16 * 1024), part.encoding, 8 * 1024);
      if (!looks_like_report(head)) continue;
      auto bytes = mime::decode_transfer(body, part.encoding, limit + 1);
      if (bytes.size() > limit)
        return fail(ErrorCode::TooLarge, "the attachment has more than {} bytes", limit);
      return bytes;
    }
  }
  return fail(ErrorCode::NotFound, "there is no aggregate report in the message");
}

}  // namespace hikyaku::dmarc
