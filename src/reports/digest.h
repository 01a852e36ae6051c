// Digest: what is kept of a mail with a report, as the process that reads such mail
// (app/confined_jobs.h) tells the one that keeps it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reports/read_report.h"
#include "reports/received.h"

namespace hikyaku::reports {

/// Nothing in it needs reading of a stranger's format again.
struct Digest {
  ReadReport::Kind kind = ReadReport::Kind::Other;
  std::string problem;                    ///< of Other and Bounce
  ReceivedReport report;                  ///< without day, id and time: received_report()
  std::vector<dmarc::ReportRecord> rows;  ///< of `report`
  ReceivedFailure failure;                ///< likewise: received_failure()
  Bounced bounced;
};
Digest digest_of(ReadReport read);

/// The stored forms, one behind the other.
std::string encode_digest(const Digest& digest);
/// Of bytes that may have been written by whoever took the reading process over: every text and
/// number of rows is bounded as if we had read the report here. Invalid: not a digest.
Result<Digest> decode_digest(std::string_view bytes, const ReadLimits& limits = {});

/// The header of a report, of this mail.
ReceivedReport received_report(const Taken& taken, const Digest& digest);
ReceivedFailure received_failure(const Taken& taken, const Digest& digest);

}  // namespace hikyaku::reports
