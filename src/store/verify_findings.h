// What verifying a store finds, as it is told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/verify.h"

namespace hikyaku::store {

/// The report as it grows. Of each kind it keeps a bounded number.
struct Findings {
  /// `how` must outlive it.
  explicit Findings(const VerifyOptions& how) : how(how) {}

  void problem(std::string text) {
    ++report.problem_count;
    if (report.problems.size() < kMostProblems) report.problems.push_back(std::move(text));
  }
  void repaired(std::string text) { report.repairs.push_back(std::move(text)); }
  void lost(LostBody body) {
    if (report.lost.size() < kMostLost) report.lost.push_back(std::move(body));
  }
  void damaged_while_waiting(BlobId body) {
    if (report.waiting_damaged.size() < kMostLost) report.waiting_damaged.push_back(body);
  }
  void progress(std::string_view doing, std::uint64_t done, std::uint64_t all) const {
    if (how.progress) how.progress(doing, all == 0 ? 1 : double(done) / double(all));
  }

  static constexpr std::size_t kMostProblems = 1000;
  static constexpr std::size_t kMostLost = 100'000;

  const VerifyOptions& how;
  VerifyReport report;
};

}  // namespace hikyaku::store
