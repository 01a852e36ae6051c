// Reading feedback reports; compose_failure.cc writes them.
#include "dmarc/failure_report.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/transfer.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kValueBytes = 32 * 1024;

constexpr std::array<std::string_view, 7> kTypes{"abuse", "auth-failure", "fraud", "not-spam",
                                                 "virus", "opt-out",      "other"};
constexpr std::array<std::string_view, 7> kAuthFailures{"",          "adsp", "bodyhash", "revoked",
                                                        "signature", "spf",  "dmarc"};
constexpr std::array<std::string_view, 6> kDeliveryResults{"",       "delivered", "spam",
                                                           "policy", "reject",    "other"};

constexpr std::array<std::string_view, kReportOutcomes> kOutcomes{"sent", "limited", "refused",
                                                                  "unasked", "dropped"};

template <class Enum, std::size_t N>
Enum named(const std::array<std::string_view, N>& names, std::string_view text, Enum fallback) {
  for (std::size_t i = 0; i < N; ++i)
    if (!names[i].empty() && iequals(names[i], text)) return static_cast<Enum>(i);
  return fallback;
}

std::string_view without_brackets(std::string_view text) {
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  return text;
}

/// Up to the first space, comment or semicolon: "192.0.2.1 (mail.example.org)".
std::string_view first_word(std::string_view text) {
  return text.substr(0, std::min(text.find_first_of(" \t(;"), text.size()));
}

IdentityAlignment parse_alignment(std::string_view text) {
  IdentityAlignment alignment;
  for (auto word : split(text, ',')) {
    word = first_word(trim(word));
    if (iequals(word, "dkim")) alignment.dkim_failed = true;
    if (iequals(word, "spf")) alignment.spf_failed = true;
  }
  return alignment;
}

class FieldReader {
 public:
  FieldReader(FailureReport& report, const FailureReportLimits& limits)
      : report_(report), limits_(limits) {}

  void read(std::string_view name, std::string_view value) {
    if (auto* text = single(name)) {
      if (text->empty()) *text = utf8_prefix(value, kValueBytes);
    } else if (auto* list = several(name)) {
      if (list->size() < limits_.values) list->emplace_back(utf8_prefix(value, kValueBytes));
    } else {
      special(name, value);
    }
  }
  bool has_type() const { return has_type_; }

 private:
  std::string* single(std::string_view name) {
    const std::pair<std::string_view, std::string*> fields[] = {
        {"user-agent", &report_.user_agent},
        {"version", &report_.version},
        {"original-envelope-id", &report_.original_envelope_id},
        {"dkim-domain", &report_.dkim_domain},
        {"dkim-identity", &report_.dkim_identity},
        {"dkim-selector", &report_.dkim_selector},
        {"dkim-selector-dns", &report_.dkim_selector_dns},
        {"dkim-canonicalized-header", &report_.dkim_canonicalized_header},
        {"dkim-canonicalized-body", &report_.dkim_canonicalized_body},
        {"spf-dns", &report_.spf_dns},
    };
    for (auto& [known, text] : fields)
      if (iequals(name, known)) return text;
    return nullptr;
  }

  std::vector<std::string>* several(std::string_view name) {
    if (iequals(name, "authentication-results")) return &report_.authentication_results;
    if (iequals(name, "reported-domain")) return &report_.reported_domains;
    if (iequals(name, "reported-uri")) return &report_.reported_uris;
    return nullptr;
  }

  void special(std::string_view name, std::string_view value) {
    if (iequals(name, "feedback-type")) {
      report_.type = named(kTypes, first_word(value), FeedbackType::Other);
      has_type_ = true;
    } else if (iequals(name, "auth-failure")) {
      report_.auth_failure = named(kAuthFailures, first_word(value), AuthFailure::Unstated);
    } else if (iequals(name, "delivery-result")) {
      report_.delivery_result = named(kDeliveryResults, first_word(value), DeliveryResult::Other);
    } else if (iequals(name, "identity-alignment")) {
      report_.identity_alignment = parse_alignment(value);
    } else if (iequals(name, "incidents")) {
      report_.incidents = parse_decimal(first_word(value)).value_or(1);
    } else if (iequals(name, "arrival-date") || iequals(name, "received-date")) {
      // The second name is that of drafts.
      if (auto date = mime::parse_date(value)) report_.arrival = date->time;
    } else if (iequals(name, "source-ip")) {
      report_.source_ip = IpAddress::parse(first_word(value));
    } else if (iequals(name, "source-port")) {
      report_.source_port =
          static_cast<std::uint16_t>(parse_decimal(first_word(value), 65'535).value_or(0));
    } else if (iequals(name, "original-mail-from")) {
      report_.original_mail_from = without_brackets(value);
    } else if (iequals(name, "original-rcpt-to")) {
      if (report_.original_rcpt_to.empty()) report_.original_rcpt_to = without_brackets(value);
    } else if (iequals(name, "reporting-mta")) {
      auto semicolon = value.find(';');  // "dns; mail.example.org"
      report_.reporting_mta = trim(semicolon == value.npos ? value : value.substr(semicolon + 1));
    }
  }

  FailureReport& report_;
  const FailureReportLimits& limits_;
  bool has_type_ = false;
};

bool is_type(const mime::Part& part, std::string_view type, std::string_view subtype) {
  return iequals(part.media_type.type, type) && iequals(part.media_type.subtype, subtype);
}

/// The header of the message that came back: of a message/rfc822, or a text/rfc822-headers.
std::string find_original_header(const mime::Message& message, std::size_t from,
                                 std::size_t limit) {
  for (std::size_t i = from; i < message.parts.size(); ++i) {
    auto& part = message.parts[i];
    if (i > 0 && part.is_message_root) return std::string(message.header(part).substr(0, limit));
    if (part.kind == mime::PartKind::Leaf && is_type(part, "text", "rfc822-headers"))
      return mime::decode_transfer(message.body(part), part.encoding, limit);
  }
  return {};
}

}  // namespace

std::string_view to_string(FeedbackType type) {
  return kTypes[static_cast<std::size_t>(type)];
}
std::string_view to_string(AuthFailure failure) {
  return kAuthFailures[static_cast<std::size_t>(failure)];
}
std::string_view to_string(ReportOutcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

std::optional<ReportOutcome> parse_report_outcome(std::string_view text) {
  auto found = std::ranges::find(kOutcomes, text);
  if (found == kOutcomes.end()) return std::nullopt;
  return static_cast<ReportOutcome>(found - kOutcomes.begin());
}

std::string_view to_string(DeliveryResult result) {
  return kDeliveryResults[static_cast<std::size_t>(result)];
}

hikyaku::Result<FailureReport> find_failure_report(const mime::Message& message,
                                                   const FailureReportLimits& limits) {
  for (std::size_t i = 0; i < message.parts.size(); ++i) {
    auto& part = message.parts[i];
    if (part.kind != mime::PartKind::Leaf || !is_type(part, "message", "feedback-report")) continue;
    auto text = mime::decode_transfer(message.body(part), part.encoding, limits.report_bytes);
    std::string_view fields = text;
    while (!fields.empty() && (fields.front() == '\r' || fields.front() == '\n'))
      fields.remove_prefix(1);
    FailureReport report;
    FieldReader reader(report, limits);
    for (auto& field : mime::HeaderView(fields))
      if (!field.is_junk()) reader.read(field.name, mime::unfold(field.value));
    if (!reader.has_type())
      return fail(ErrorCode::Invalid, "the feedback report does not say of which type it is");
    report.original_header = find_original_header(message, i + 1, limits.header_bytes);
    return report;
  }
  return fail(ErrorCode::NotFound, "there is no feedback report in the message");
}

bool wants_failure_report(const Outcome& outcome, const Evidence& evidence) {
  auto& record = outcome.discovery.record;
  if (!record || record->ruf().empty() || outcome.discovery.state != Discovery::State::Found)
    return false;
  if (record->psd == Psd::Yes) return false;
  auto& fo = record->fo;
  if (fo.dkim && evidence.dkim)
    for (auto& signature : *evidence.dkim)
      if (signature.result == dkim::Result::Fail || signature.result == dkim::Result::PermError)
        return true;
  if (fo.spf && evidence.spf) {
    auto result = evidence.spf->result;
    if (result == spf::Result::Fail || result == spf::Result::SoftFail ||
        result == spf::Result::PermError)
      return true;
  }
  if (fo.any && (!outcome.spf_aligned || !outcome.dkim_aligned)) return true;
  // "d" and "s" alone ask for nothing else (RFC 9989 §4.7).
  return fo.all && outcome.result == Result::Fail;
}

FailureReport failure_report_of(const Outcome& outcome, const Evidence& evidence) {
  FailureReport report;
  report.type = FeedbackType::AuthFailure;
  report.auth_failure = AuthFailure::Dmarc;
  report.identity_alignment = IdentityAlignment{!outcome.dkim_aligned, !outcome.spf_aligned};
  report.reported_domains = {outcome.discovery.author_domain};
  if (!outcome.dkim_aligned && evidence.dkim) {
    for (auto& signature : *evidence.dkim) {
      if (signature.passed() || signature.domain.empty()) continue;
      report.dkim_domain = signature.domain;
      report.dkim_identity = signature.identity;
      report.dkim_selector = signature.selector;
      break;
    }
  }
  if (!outcome.spf_aligned && evidence.spf && !evidence.spf->policies.empty()) {
    // RFC 6591 §3.2.6: the record as it was found, between quotes.
    auto& policy = *evidence.spf->policies.front();
    std::string quoted;
    for (char c : policy.text.substr(0, kValueBytes)) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    report.spf_dns = "txt : " + policy.domain + " : \"" + quoted + '"';
  }
  return report;
}

}  // namespace hikyaku::dmarc
