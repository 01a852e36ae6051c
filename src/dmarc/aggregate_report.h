// Aggregate reports (RFC 9990; RFC 7489 appendix C is read, too): what a receiver saw of a domain
// in one period, as XML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "dkim/verdict.h"
#include "dmarc/disposition.h"
#include "dmarc/record.h"
#include "spf/verdict.h"

namespace hikyaku::dmarc {

inline constexpr std::string_view kReportNamespace = "urn:ietf:params:xml:ns:dmarc-2.0";
inline constexpr std::string_view kOldReportNamespace = "http://dmarc.org/dmarc-xml/0.1";

/// A period and who reports (RFC 9990 §3.1.1.2).
struct ReportMetadata {
  std::string org_name;
  std::string email;
  std::string extra_contact_info;  ///< may be empty
  std::string report_id;
  std::int64_t begin = 0;  ///< seconds since 1970, UTC
  std::int64_t end = 0;
  std::string error;      ///< may be empty
  std::string generator;  ///< may be empty
};

enum class DiscoveryMethod : std::uint8_t { PublicSuffixList, TreeWalk };

/// The policy as it was found (RFC 9990 §3.1.1.3). Absent tags stay absent.
struct PublishedPolicy {
  std::string domain;
  std::optional<DiscoveryMethod> discovery_method;
  std::optional<Policy> p, sp, np;
  std::optional<Alignment> adkim, aspf;
  std::optional<bool> testing;
  std::string fo;               ///< may be empty
  std::optional<unsigned> pct;  ///< of old reports
};

/// One signature that was looked at.
struct ReportedDkim {
  std::string domain;
  std::string selector;  ///< old reports may lack it
  dkim::Result result = dkim::Result::None;
  std::string human_result;
};

struct ReportedSpf {
  enum class Scope : std::uint8_t { Unstated, MailFrom, Helo };
  std::string domain;
  Scope scope = Scope::Unstated;
  spf::Result result = spf::Result::None;
  bool by_policy = false;  ///< result `policy`, which RFC 9990 has and RFC 7208 does not
  std::string human_result;
};

/// Messages that had all of this in common (RFC 9990 §3.1.1.5 to .11).
struct ReportRecord {
  IpAddress source;
  std::uint64_t count = 0;
  Applied disposition = Applied::None;
  bool dkim_aligned = false;  ///< policy_evaluated: passed and aligned
  bool spf_aligned = false;
  std::vector<Override> reasons;
  std::string header_from;
  std::string envelope_from;  ///< empty: the null reverse-path, or not said
  std::string envelope_to;    ///< usually not said
  std::vector<ReportedDkim> dkim;
  std::vector<ReportedSpf> spf;  ///< old reports may have several
};

/// A report that was read.
struct AggregateReport {
  enum class Schema : std::uint8_t {
    Rfc7489,   ///< by its namespace, or by elements that only it has
    Rfc9990,   ///< likewise
    Unstated,  ///< could be either
  };
  Schema schema = Schema::Unstated;
  std::string version;
  ReportMetadata metadata;
  PublishedPolicy policy;
  std::vector<ReportRecord> records;
  /// Records whose source or count cannot be read; they are not among `records`.
  std::size_t left_out = 0;
  std::vector<std::string> extensions;  ///< their names, of the report and of its records
  /// What is wrong with it and was read over, in words.
  std::vector<std::string> problems;
};

struct AggregateLimits {
  std::size_t bytes = 64 * 1024 * 1024;  ///< of XML
  std::size_t records = 100'000;
  std::size_t results = 100;      ///< of DKIM or SPF in a record; more are dropped
  std::size_t text_bytes = 2048;  ///< of a value; longer ones are cut
};

/// Reads a report: either namespace or none, elements in any order, unknown ones skipped, the usual
/// mistakes. `on_record` gets one record after another, so that memory stays bounded however many
/// there are; the result has the rest. TooLarge, Denied (entity declarations), Invalid (no report).
hikyaku::Result<AggregateReport> parse_aggregate_report(
    std::string_view bytes, const std::function<void(ReportRecord)>& on_record,
    const AggregateLimits& limits = {});
/// The same with the records in the result.
hikyaku::Result<AggregateReport> parse_aggregate_report(std::string_view bytes,
                                                        const AggregateLimits& limits = {});

/// Writes a report piece by piece (RFC 9990 §3.1, the namespace of 2026). Of more than 100
/// signatures in a record the most telling ones stay.
class AggregateWriter {
 public:
  /// `sink` gets the XML in pieces of some kilobytes.
  explicit AggregateWriter(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {}

  void begin(const ReportMetadata& metadata, const PublishedPolicy& policy);
  void record(const ReportRecord& record);
  void end();

 private:
  void open(std::string_view name);
  void close(std::string_view name);
  void element(std::string_view name, std::string_view value);
  void optional_element(std::string_view name, std::string_view value);
  void auth_results(const ReportRecord& record);
  void flush_if_full();

  std::function<void(std::string_view)> sink_;
  std::string buffer_;
  int depth_ = 0;
};

/// The policy part of a report from a record.
PublishedPolicy published_policy(std::string_view policy_domain, const Record& record);

/// What a report says of one message (count 1). Only for messages to whose author domain a policy
/// applies: `outcome` of a verdict. `envelope_from`: the domain of MAIL FROM, empty for the null
/// path.
struct ReportedMessage {
  IpAddress source;
  std::string envelope_from;
};
ReportRecord report_record(const Outcome& outcome, const Evidence& evidence,
                           const Disposition& disposition, ReportedMessage message);

}  // namespace hikyaku::dmarc
