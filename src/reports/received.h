// What others report about our domains: taken in with the delivery, read behind it, kept for the
// configured time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "dmarc/aggregate_report.h"
#include "reports/evaluation.h"
#include "reports/read_report.h"
#include "reports/sender.h"
#include "store/store.h"
#include "story/story.h"

namespace hikyaku::reports {

/// The topic (of account store::kInstance) that is notified when a report was taken in.
inline constexpr std::uint32_t kTopicTaken = 3;

/// A mail that waits to be read.
struct Taken {
  story::MessageId id = 0;
  store::BlobId body = 0;
  Time when{};
  std::string mail_from;
  Sender sender = {};
};
/// Reports that are taken in within a day, since anybody may write to the address. Each sender's
/// domain (its last two labels) has a limit of its own, and so keeps out nobody else, and so has
/// what nobody is shown to have sent. An honest reporter sends one or two a day about each of our
/// domains.
inline constexpr std::uint64_t kMostTakenADay = 20'000;
inline constexpr std::uint64_t kMostOfADomainADay = 2'000;
inline constexpr std::uint64_t kMostUnprovedADay = 2'000;

/// In the transaction that delivers the mail. False: there have been too many today.
bool take_in(store::Transaction& tx, const Taken& taken, const store::StagedBlob& body);
/// The oldest first, behind the mail `after`, at most `limit`.
std::vector<Taken> list_taken(store::Reader& reader, std::size_t limit, story::MessageId after = 0);
/// Read, or not worth it: the body goes.
void finish_taken(store::Transaction& tx, const Taken& taken);

/// An aggregate report about one of our domains.
struct ReceivedReport {
  Day day = 0;  ///< of its period's beginning; never behind the day on which it came
  story::MessageId id = 0;
  std::string domain;  ///< policy domain, lower case
  std::string organization, email, report_id;
  Time when{};  ///< it came
  std::int64_t begin = 0, end = 0;
  std::optional<dmarc::Policy> policy;
  std::uint64_t rows = 0, messages = 0, passed = 0;
  Sender sender = {};
  std::uint64_t left_out = 0;  ///< records that could not be read
};
/// True if the same report came before: of the same proved sender, about the same domain, with the
/// same id and period. What the report says of its author cannot keep another's out.
bool is_known(store::Reader& reader, const ReceivedReport& report);
/// A piece of its rows, from `first` on; at most 500 in one transaction.
void put_received_rows(store::Transaction& tx, const ReceivedReport& report, std::uint32_t first,
                       std::span<const dmarc::ReportRecord> rows);
/// Erases such rows, at most `most`. True: there are no others.
bool erase_received_rows(store::Transaction& tx, const ReceivedReport& report,
                         std::size_t most = store::kEraseAtOnce);
/// Last: from now on it is seen.
void put_received(store::Transaction& tx, const ReceivedReport& report);

/// Reports of days from `since` on, behind `after` (a key of the last piece, or empty).
struct ReceivedPiece {
  std::vector<ReceivedReport> reports;
  std::string next;
};
ReceivedPiece list_received(store::Reader& reader, Day since, std::string_view from,
                            std::size_t limit);
RowPiece read_received_rows(store::Reader& reader, const ReceivedReport& report,
                            std::string_view from, std::size_t limit);

/// A failure report about a message that claimed to be ours.
struct ReceivedFailure {
  Day day = 0;  ///< on which it came
  story::MessageId id = 0;
  Time when{};
  std::string domain;
  std::optional<IpAddress> source;
  std::string auth_failure;     ///< "dmarc", "spf", …
  std::string delivery_result;  ///< "delivered", …; may be empty
  std::string mail_from, header_from, rcpt_to;
  std::string subject;   ///< or the Message-ID, when the report shows no subject
  std::string reporter;  ///< Reporting-MTA, or the sender of the mail
  std::string results;   ///< the first Authentication-Results
  std::uint64_t incidents = 1;
  Time arrival{};  ///< of the message that is reported; 0: not said
  Sender sender = {};
};
void put_failure(store::Transaction& tx, const ReceivedFailure& failure);
/// The newest first, days from `since` on, at most `limit` of those that are `wanted` (empty: all).
std::vector<ReceivedFailure> list_failures(
    store::Reader& reader, Day since, std::size_t limit,
    const std::function<bool(const ReceivedFailure&)>& wanted = nullptr);

/// A report that is not counted, since nobody was shown to have sent it: its header alone, by the
/// day on which it came.
void put_unproved(store::Transaction& tx, const ReceivedReport& report);
/// The newest first, days from `since` on, at most `limit` of those that are `wanted` (empty: all).
std::vector<ReceivedReport> list_unproved(
    store::Reader& reader, Day since, std::size_t limit,
    const std::function<bool(const ReceivedReport&)>& wanted = nullptr);

/// A mail to the address in which no report could be read, or a notice that one of ours did not
/// arrive.
struct UnreadReport {
  Day day = 0;  ///< on which it came
  story::MessageId id = 0;
  Time when{};
  std::string mail_from;
  std::string problem;
  std::optional<Bounced> bounced = std::nullopt;  ///< it is such a notice
};
void put_unread(store::Transaction& tx, const UnreadReport& unread);
/// The newest first, days from `since` on, at most `limit`.
std::vector<UnreadReport> list_unread(store::Reader& reader, Day since, std::size_t limit);

/// Forgets what is about days before `day`; as trim_evaluations.
bool trim_received(store::Transaction& tx, Day day, std::size_t most = store::kEraseAtOnce);

}  // namespace hikyaku::reports
