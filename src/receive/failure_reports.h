// Reports to the domain that a message claims to be from, about that message (RFC 9991): whether
// one is wanted, who gets it, and what is in it. Private to receive/.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "dmarc/failure_report.h"
#include "receive/authentication.h"
#include "receive/receiver.h"
#include "smtp/rules.h"
#include "story/story.h"

namespace hikyaku::receive {

/// How many reports leave in an hour of the clock. From any event loop.
class ReportLimits {
 public:
  ReportLimits(std::uint32_t per_domain, std::uint32_t total)
      : per_domain_(per_domain), total_(total) {}

  /// Whether one more may be tried for a destination's domain; it counts.
  bool take(const std::string& host, Time now);
  /// Whether one more may leave in all; it counts.
  bool take_one(Time now);
  /// A report about `domain` was not made: it is added to the next one's Incidents.
  void withhold(const std::string& domain);
  /// How many messages the report that is made now stands for.
  std::uint64_t incidents(const std::string& domain);

 private:
  void begin_hour(Time now);

  const std::uint32_t per_domain_;
  const std::uint32_t total_;
  std::mutex mutex_;  ///< for what follows
  std::int64_t hour_ = 0;
  std::uint32_t taken_ = 0;
  std::map<std::string, std::uint32_t> hosts_;
  std::map<std::string, std::uint64_t> withheld_;
};

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
  struct Wanted {
    std::string about;  ///< the domain
    std::string from;
    std::vector<std::string> to;  ///< empty: nobody gets one
    dmarc::FailureReport report;  ///< without its Delivery-Result
    std::vector<story::Finding> findings;
  };
  /// nullopt: the domain does not ask for one, none are made here, or it would be a report about a
  /// report. Asks the DNS whether destinations elsewhere agree, each within the time for checks.
  Task<std::optional<Wanted>> consider(Subject subject);

  /// The mail.
  std::string compose(Wanted wanted, dmarc::DeliveryResult result) const;

 private:
  Task<void> find_destinations(const dmarc::Outcome& outcome, Time now, Wanted& wanted);
  bool is_answer(const Subject& subject, store::Reader& reader) const;

  const Settings& settings_;
  Services services_;
  ReportLimits limits_;
};

}  // namespace hikyaku::receive
