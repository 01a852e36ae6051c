// The stored forms of evaluations. Private to reports/.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reports/evaluation.h"
#include "store/key.h"

namespace hikyaku::reports {

/// Everything of a record but its count: records with the same identity are one row of the report.
/// Texts of strangers are cut.
std::string encode_identity(const dmarc::ReportRecord& record);
/// What a message becomes for which there is no room for a row of its own: the outcome only.
dmarc::ReportRecord without_source(const dmarc::ReportRecord& record);

/// Sums of messages, which strangers' reports are full of, end here: nothing that is worked out
/// from them wraps.
inline constexpr std::uint64_t kMostMessages = 1'000'000'000'000'000;
constexpr void add_messages(std::uint64_t& sum, std::uint64_t count) {
  sum = std::min(sum + std::min(count, kMostMessages), kMostMessages);
}

std::string encode_row(std::uint64_t count, std::string_view identity);
/// The count of a row; nullopt: damaged.
std::optional<std::uint64_t> decode_count(std::string_view row);
std::optional<dmarc::ReportRecord> decode_row(std::string_view row);

/// At most `limit` rows of a range, from its beginning (`from` empty) or from the key `from` on.
RowPiece read_row_piece(store::Reader& reader, store::KeyRange range, std::string_view from,
                        std::size_t limit);

/// The rows of a table whose keys begin with a day, of days before `day`: see store::erase_some.
bool erase_days_before(store::Transaction& tx, store::Table table, Day day, std::size_t& most);

/// The configuration: the policy without its domain.
std::string encode_policy(const dmarc::PublishedPolicy& policy);
std::string encode_domain(const EvaluatedDomain& domain);
/// Without the name, which is in the key.
std::optional<EvaluatedDomain> decode_domain(std::string_view value);

}  // namespace hikyaku::reports
