// Checking the mail in a store that nobody has open: what the rows say against the messages.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/open.h"

namespace hikyaku::app {

struct MailReport {
  std::uint64_t accounts = 0;
  std::uint64_t messages = 0;
  std::uint64_t digests = 0;  ///< messages whose stored structure is that of a fresh parse
  std::vector<std::string> problems;
  /// Messages that cannot be read any more, or of which only a trace is left: whose, where, what.
  std::vector<std::string> lost;
  std::vector<std::string> repairs;
};

/// Opens the store and checks every account; repairs what can be, if `repair`. Blocks.
/// `before_repair`: as store::VerifyOptions has it, with what has been found so far.
Result<MailReport> check_mail(
    const store::Options& options, bool repair,
    const std::function<void(std::string_view doing, double part)>& tell,
    const std::function<Result<void>(const MailReport&)>& before_repair = {});

}  // namespace hikyaku::app
