// A mail that came to the address of our records: which report is in it. Pure, bounded, and the
// only place where bytes of reports are read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dmarc/aggregate_report.h"
#include "dmarc/failure_report.h"

namespace hikyaku::reports {

struct ReadLimits {
  std::size_t message_bytes = 32 * 1024 * 1024;
  std::size_t packed_bytes = 16 * 1024 * 1024;
  std::size_t bytes = 64 * 1024 * 1024;  ///< of XML, unpacked
  std::size_t rows = 20'000;  ///< further ones are summed into one for each outcome, without source
};

/// One of our own reports to others that came back.
struct Bounced {
  std::string to;     ///< the address that it did not reach
  std::string about;  ///< the domain whose record named it; empty: the notice does not show it
  bool operator==(const Bounced&) const = default;
};

struct ReadReport {
  enum class Kind : std::uint8_t {
    Other,  ///< no report, or one that cannot be read: `problem`
    Aggregate,
    Failure,
    Bounce,  ///< a notice that one of our own reports did not arrive: `bounced`, `problem`
  };
  Kind kind = Kind::Other;
  std::string problem;
  dmarc::AggregateReport aggregate;  ///< without records
  std::vector<dmarc::ReportRecord> rows;
  dmarc::FailureReport failure;
  Bounced bounced;
};

/// Never fails: what cannot be read is Other.
ReadReport read_report(std::string_view message, const ReadLimits& limits = {});

}  // namespace hikyaku::reports
