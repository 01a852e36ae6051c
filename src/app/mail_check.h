// Checking the mail in a store that nobody has open: what the rows say against the messages.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/open.h"
#include "store/verify.h"

namespace hikyaku::app {

/// Mail whose account has lost its address: nobody gets it until somebody says whose it is.
struct HomelessMail {
  store::AccountId account = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

struct MailReport {
  std::uint64_t accounts = 0;  ///< those without an address, too
  std::uint64_t messages = 0;
  std::uint64_t digests = 0;  ///< messages whose stored structure is that of a fresh parse
  std::vector<std::string> problems;
  /// Messages that cannot be read any more, or of which only a trace is left: whose, where, what.
  std::vector<std::string> lost;
  /// Deleted messages that undelete would bring back, though their bodies are damaged.
  std::vector<std::string> promised = {};
  std::vector<std::string> repairs;
  std::vector<HomelessMail> homeless = {};
  /// Addresses of accounts that a repair has made again; told among `repairs`, too.
  std::vector<std::string> made_again = {};
};

/// The bodies that verify_store has found damaged, whoever has them.
std::set<store::BlobId> damaged_bodies(const store::VerifyReport& report);

/// Opens the store and checks every account; repairs what can be, if `repair`. Blocks.
/// `before_repair`: as store::VerifyOptions has it, with what has been found so far. `damaged`: the
/// bodies that cannot be read, as verify_store has found them.
Result<MailReport> check_mail(
    const store::Options& options, bool repair,
    const std::function<void(std::string_view doing, double part)>& tell,
    const std::function<Result<void>(const MailReport&)>& before_repair = {},
    const std::set<store::BlobId>& damaged = {});

}  // namespace hikyaku::app
