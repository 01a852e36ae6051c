// Aggregate reports as mail (RFC 9990 §3.2): subjects, file names, and the report in a message that
// came in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "mime/message.h"

namespace hikyaku::dmarc {

/// What the Subject says (RFC 9990 §3.2.2).
struct ReportSubject {
  std::string domain;     ///< Report Domain, lower case
  std::string submitter;  ///< lower case; may be empty
  std::string report_id;  ///< without angle brackets; may be empty
  bool operator==(const ReportSubject&) const = default;
};
/// "Report Domain: example.com Submitter: receiver.example Report-ID: <id>".
std::string format_report_subject(const ReportSubject& subject);
/// nullopt: not the subject of a report. Any case, commas and folds as they are met.
std::optional<ReportSubject> parse_report_subject(std::string_view subject);

/// What we give our failure reports: "DMARC failure report for example.com".
std::string format_failure_subject(std::string_view domain);
/// The domain in it, lower case. nullopt: another subject, or no domain.
std::optional<std::string> parse_failure_subject(std::string_view subject);

/// receiver!policy-domain!begin!end[!unique].xml[.gz] (RFC 9990 §3.2.1).
struct ReportFileName {
  std::string receiver;
  std::string policy_domain;
  std::int64_t begin = 0, end = 0;
  std::string unique;  ///< letters and digits; may be empty
};
enum class ReportFile : std::uint8_t { Xml, Gzip };
std::string format_report_file_name(const ReportFileName& name, ReportFile kind);

/// The attachment that is an aggregate report, decoded from its transfer encoding but still packed:
/// the first part that is one by its content or its media type. NotFound: no part is. TooLarge:
/// above `limit` decoded bytes.
hikyaku::Result<std::string> find_aggregate_report(const mime::Message& message,
                                                   std::size_t limit = 32 * 1024 * 1024);

}  // namespace hikyaku::dmarc
