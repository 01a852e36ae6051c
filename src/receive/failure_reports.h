// Reports to the domain that a message claims to be from, about that message (RFC 9991): whether
// one is wanted, who gets it, and what is in it. Private to receive/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "dmarc/failure_report.h"
#include "dmarc/report_address.h"
#include "receive/authentication.h"
#include "receive/receiver.h"
#include "receive/report_limits.h"
#include "smtp/rules.h"
#include "story/story.h"

namespace hikyaku::receive {

/// One for all sessions; from any event loop.
class FailureReports {
 public:
  FailureReports(const Settings& settings, Services services);

  /// A message, as far as a report tells of it.
  struct Subject {
    const SenderFindings& found;
    Endpoint client;
    std::string_view header;
    const std::vector<smtp::Recipient>& recipients;
    Time arrived;
  };
  /// An address that the domain names and that gets no report.
  struct NotTold {
    std::string mailbox;
    dmarc::ReportOutcome why = dmarc::ReportOutcome::Limited;
    std::string problem;  ///< in words; may be empty
  };
  struct Wanted {
    std::string about;  ///< the domain
    std::string from;
    std::vector<std::string> to;  ///< empty: nobody gets one
    std::vector<NotTold> not_told;
    dmarc::FailureReport report;          ///< without its Delivery-Result
    std::vector<std::string> recipients;  ///< of the message; the report names none of them
    // What counts against the limits.
    std::string organization;                    ///< whose domain it is about
    std::vector<ReportLimits::Leaving> leaving;  ///< one for each of `to`
    Time counted{};
  };
  /// nullopt: the domain does not ask for one, none are made here, or it would be a report about a
  /// report. Asks the DNS whether destinations elsewhere agree, all of them within one deadline
  /// (AuthenticationSettings::deadline). What `subject` refers to must outlive the task. A Wanted
  /// has counted: end() must follow.
  Task<std::optional<Wanted>> consider(Subject subject);

  /// The mail.
  std::string compose(const Wanted& wanted, dmarc::DeliveryResult result) const;

  /// What became of a report that was considered.
  enum class End {
    Sent,     ///< it is durable with its message, or there was nobody to send it to
    Dropped,  ///< the message is settled, and the report could not be written
    Undone,   ///< the message came to nothing and will come again: as if nothing had been asked
  };
  /// Once for each Wanted.
  void end(const Wanted& wanted, End how);

 private:
  Task<void> find_destinations(const dmarc::Outcome& outcome, Wanted& wanted);
  Task<void> ask(dns::Resolver& dns, const dmarc::Outcome& outcome, dmarc::ReportUri uri,
                 Wanted& wanted);
  bool is_answer(const Subject& subject, store::Reader& reader) const;

  const Settings& settings_;
  Services services_;
  ReportLimits limits_;
};

/// "domain=…; to=…; problem=…" for the story.
story::Finding report_finding(const std::string& about, const FailureReports::NotTold& one);

}  // namespace hikyaku::receive
