// What DMARC found of the messages that came in, summed per policy domain and UTC day: the material
// of the aggregate reports that go out (RFC 9990).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dmarc/aggregate_report.h"
#include "dmarc/evaluate.h"
#include "store/erase.h"
#include "store/store.h"

namespace hikyaku::reports {

/// Days since 1970, UTC.
using Day = std::uint32_t;
Day day_of(Time time);
/// Midnight at which the day begins.
Time start_of(Day day);

/// What DMARC found of one message for one author domain.
struct Evaluation {
  Time when;
  dmarc::PublishedPolicy policy;  ///< `domain` is the policy domain
  std::string rua;                ///< as published; without it nobody wants to know
  dmarc::ReportRecord record;     ///< its count does not matter: it is one message
};

/// What is to be recorded of a message: one for each policy domain that a reader is shown and that
/// asks for reports; usually one or none.
std::vector<Evaluation> evaluations_of(const dmarc::Verdict& verdict,
                                       const dmarc::Evidence& evidence,
                                       const dmarc::Disposition& disposition,
                                       const dmarc::ReportedMessage& message, Time when);

/// Strangers decide what domains and sources there are: the rows of a day are bounded.
struct EvaluationLimits {
  /// Different rows of a domain and day; further ones are summed into one for each outcome, without
  /// source and signatures.
  std::uint64_t rows = 20'000;
  std::uint64_t day_rows = 2'000'000;  ///< of all domains of a day; further ones likewise
  std::uint64_t domains = 100'000;     ///< of a day; what comes of further ones is only counted
  /// Of a domain and day: records that say something else each time; further ones count as the
  /// first.
  std::size_t configurations = 8;
};

/// Adds one message to its day, in the transaction that delivers it (account store::kInstance):
/// about three reads and one write. Nothing happens if the domain asks for no reports.
void record_evaluation(store::Transaction& tx, const Evaluation& evaluation,
                       const EvaluationLimits& limits = {});

/// What one report is about: a policy domain of a day. When its record changed during the day, each
/// configuration has a report of its own (RFC 9990 §3.1.1.3).
struct Subject {
  Day day = 0;
  std::string domain;
  std::uint64_t configuration = 0;
  auto operator<=>(const Subject&) const = default;
};
/// The subject that a key of these tables names (its fields behind the table begin with it).
std::optional<Subject> subject_of(std::string_view key);
struct EvaluatedDomain {
  dmarc::PublishedPolicy policy;
  std::string rua;
  std::uint64_t rows = 0;
};
struct EvaluationDay {
  std::uint64_t domains = 0;
  std::uint64_t rows = 0;
  std::uint64_t uncounted = 0;  ///< messages of domains beyond the limit
};

std::optional<EvaluationDay> find_day(store::Reader& reader, Day day);
std::optional<EvaluatedDomain> find_evaluated(store::Reader& reader, const Subject& subject);
/// What has rows, in order, of days before `before` and behind `after`; at most `limit`.
std::vector<Subject> list_subjects(store::Reader& reader, Day before,
                                   const std::optional<Subject>& after, std::size_t limit);

/// A piece of the rows of a report.
struct RowPiece {
  std::vector<dmarc::ReportRecord> rows;
  std::string next;  ///< where to go on; empty: these were the last
};
/// At most `limit` rows, from the beginning (`from` empty) or where a piece before ended.
RowPiece read_rows(store::Reader& reader, const Subject& subject, std::string_view from,
                   std::size_t limit);

/// The sum of all rows' counts.
std::uint64_t count_messages(store::Reader& reader, const Subject& subject);

/// Forgets a domain's rows of a day: they have been reported, or never will be.
void erase_rows(store::Transaction& tx, const Subject& subject);
/// Forgets everything before `day`, reported or not, at most `most` rows: call it again (in new
/// transactions) until it returns true.
bool trim_evaluations(store::Transaction& tx, Day day, std::size_t most = store::kEraseAtOnce);

}  // namespace hikyaku::reports
