// Failure reports (RFC 9991, RFC 6591) and other feedback reports (RFC 5965, ARF): about one
// message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "dmarc/evaluate.h"
#include "dmarc/redaction.h"
#include "mime/message.h"

namespace hikyaku::dmarc {

/// Feedback-Type (RFC 5965 §7.3, RFC 6591 §3.1).
enum class FeedbackType : std::uint8_t {
  Abuse,
  AuthFailure,
  Fraud,
  NotSpam,
  Virus,
  OptOut,
  Other,
};
std::string_view to_string(FeedbackType type);

/// Auth-Failure (RFC 6591 §3.3, RFC 9991).
enum class AuthFailure : std::uint8_t {
  Unstated,
  Adsp,
  BodyHash,
  Revoked,
  Signature,
  Spf,
  Dmarc,
};
std::string_view to_string(AuthFailure failure);

/// Delivery-Result (RFC 6591 §3.2.2).
enum class DeliveryResult : std::uint8_t { Unstated, Delivered, Spam, Policy, Reject, Other };
std::string_view to_string(DeliveryResult result);

/// Identity-Alignment: the methods that did not authenticate an aligned identity (RFC 9991).
struct IdentityAlignment {
  bool dkim_failed = false;
  bool spf_failed = false;
  bool operator==(const IdentityAlignment&) const = default;
};

/// The machine-readable part, and what came back of the message. Empty texts were not there.
struct FailureReport {
  FeedbackType type = FeedbackType::Other;
  std::string user_agent;
  std::string version;
  AuthFailure auth_failure = AuthFailure::Unstated;
  DeliveryResult delivery_result = DeliveryResult::Unstated;
  std::optional<IdentityAlignment> identity_alignment;
  std::uint64_t incidents = 1;
  std::optional<Time> arrival;
  std::optional<IpAddress> source_ip;
  std::uint16_t source_port = 0;
  std::string original_envelope_id;
  std::string original_mail_from;  ///< without angle brackets
  std::string original_rcpt_to;    ///< likewise
  std::string reporting_mta;       ///< the name
  std::vector<std::string> authentication_results;
  std::vector<std::string> reported_domains;
  std::vector<std::string> reported_uris;
  std::string dkim_domain, dkim_identity, dkim_selector;
  std::string dkim_selector_dns;
  std::string dkim_canonicalized_header, dkim_canonicalized_body;  ///< base64
  std::string spf_dns;

  /// The header section of the message that is reported on, as it came; may be empty.
  std::string original_header;
};

struct FailureReportLimits {
  std::size_t report_bytes = 64 * 1024;   ///< of the machine-readable part
  std::size_t header_bytes = 256 * 1024;  ///< of original_header; cut there
  std::size_t values = 32;                ///< of a field that may stand there several times
};

/// The first feedback report in a message, whatever the multipart around it calls itself. NotFound:
/// there is none. Invalid: it has no Feedback-Type.
hikyaku::Result<FailureReport> find_failure_report(const mime::Message& message,
                                                   const FailureReportLimits& limits = {});

/// Whether `fo` asks for a report about this (RFC 9989 §4.7). Never for the record of a public
/// suffix, whose owner is not the author's (RFC 9991).
bool wants_failure_report(const Outcome& outcome, const Evidence& evidence);

/// What DMARC says in such a report: the domain, what failed, of the first failed signature its
/// names. The rest (source, arrival, header, …) is the caller's to add.
FailureReport failure_report_of(const Outcome& outcome, const Evidence& evidence);

/// The header of the mail that carries a report.
struct FailureReportMail {
  std::string from;             ///< an address of ours, whose domain signs it
  std::vector<std::string> to;  ///< of ruf
  std::string message_id;       ///< without angle brackets
  std::string unique;           ///< random text for the boundary
  Time now;
  std::string redaction_key;  ///< see Redactor
  /// Of the original, by its envelope: neither they nor those that its header names are in it.
  std::vector<std::string> recipients;
  HeaderShown shown = HeaderShown::Redacted;
};
/// The whole message: text for people, the machine-readable part, and the header of the original,
/// of which only harmless fields are kept, redacted. Authentication-Results and Incidents as
/// `report` says.
std::string compose_failure_report(const FailureReport& report, const FailureReportMail& mail);

/// What became of a report that a domain asked for, for one of the addresses that it names: as the
/// story of the message keeps it.
enum class ReportOutcome : std::uint8_t {
  Sent,     ///< written with the message that it is about; the queue has it
  Limited,  ///< too many in this hour
  Refused,  ///< the domain of the address does not agree
  Unasked,  ///< whether it agrees could not be asked
  Dropped,  ///< it was to be sent and could not be written
};
inline constexpr std::size_t kReportOutcomes = 5;
/// "sent", "limited", …
std::string_view to_string(ReportOutcome outcome);
std::optional<ReportOutcome> parse_report_outcome(std::string_view text);

}  // namespace hikyaku::dmarc
