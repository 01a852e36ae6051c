// Aggregate reports on their way out (RFC 9990): the mail that carries one, made in bounded memory,
// and what became of each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/keyed_hash.h"
#include "reports/evaluation.h"
#include "store/store.h"

namespace hikyaku::reports {

/// What became of a report, or what was tried.
struct Outgoing {
  enum class State : std::uint8_t {
    Waiting,   ///< not yet: `attempts` have failed, `problem` says why
    Sent,      ///< in the queue, or delivered
    Unwanted,  ///< none of its destinations may have it (RFC 9990 §4)
    Failed,    ///< given up
  };
  State state = State::Waiting;
  std::uint32_t attempts = 0;
  Time when{};             ///< of the last change
  Time next_attempt{};     ///< Waiting
  std::string problem;     ///< in words; may be empty
  std::string report_id;   ///< Sent
  std::string recipients;  ///< Sent: with ", " between them
  std::uint64_t rows = 0, messages = 0;
  std::int64_t end = 0;  ///< Sent: where its period ended, seconds since 1970
};
std::optional<Outgoing> find_outgoing(store::Reader& reader, const Subject& subject);
void put_outgoing(store::Transaction& tx, const Subject& subject, const Outgoing& outgoing);
/// Forgets what became of reports about days before `day`; as trim_evaluations.
bool trim_outgoing(store::Transaction& tx, Day day, std::size_t most = store::kEraseAtOnce);

/// When the report leaves: at a minute of its own in the four hours after its day is over, and not
/// at once, since messages that arrived before midnight may still be on their way into the store.
/// The minute is the same at every look, and nobody else can know it.
Time leaves_at(const crypto::MasterKey& master, const Subject& subject);

/// Who reports.
struct Submitter {
  std::string domain;     ///< whose signature the mail has
  std::string address;    ///< From, and where questions go
  std::string generator;  ///< "Hikyaku 0.1"
};

struct ReportRequest {
  Subject subject;
  std::vector<std::string> recipients;
  Submitter submitter;
  Time now;
  std::string unique;                           ///< letters and digits, new for each report
  std::int64_t begin = 0, end = 0;              ///< the period
  std::size_t packed_limit = 16 * 1024 * 1024;  ///< bytes of gzip'ed XML
};
struct ComposedReport {
  std::string message;  ///< the whole mail
  std::string report_id;
  std::uint64_t rows = 0, messages = 0;
};
/// Reads the rows piece by piece and packs them on a worker. NotFound: there is nothing to report.
/// TooLarge. `store` and `workers` must outlive the task.
Task<Result<ComposedReport>> compose_report(store::Store& store, WorkerPool& workers,
                                            ReportRequest request);

/// In the transaction that sends a report: its rows go, what became of it stays. Conflict if they
/// are not those that were reported (sent by somebody else, or more have come).
Result<void> settle_sent(store::Transaction& tx, const Subject& subject, const Outgoing& outgoing);

}  // namespace hikyaku::reports
