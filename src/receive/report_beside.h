// ReportBeside: the failure report about a message, written in the transaction that settles the
// message. Private to receive/.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "receive/accepting.h"
#include "receive/delivery.h"
#include "receive/failure_reports.h"
#include "receive/message_bytes.h"

namespace hikyaku::receive {

/// A report that is wanted, or what is to be told of one that nobody gets. It never keeps its
/// message from being settled: what goes wrong with it drops it, and is told instead. Where it ends
/// without settle(), since the message came to nothing, it is as if nothing had been asked.
class ReportBeside {
 public:
  /// Null: nobody wants one. `delivery` has what was found out; it and `header` must outlive the
  /// task.
  static Task<std::unique_ptr<ReportBeside>> consider(const Surroundings& surroundings,
                                                      const Delivery& delivery,
                                                      std::string_view header);
  ReportBeside(const Surroundings& surroundings, FailureReports::Wanted wanted);
  ~ReportBeside();

  /// Writes the mail, which says what became of the message; anew for another result.
  Task<void> write(dmarc::DeliveryResult result);
  /// Makes its plan; again when the transaction said Conflict.
  Task<void> prepare();
  /// Adds whom the transaction touches.
  void add_accounts(std::vector<store::AccountId>& accounts) const;
  Result<void> put(store::Transaction& tx);
  /// For the story of the message, in the same transaction: who gets it, and who does not.
  std::vector<story::Finding> findings() const;
  /// It cannot be written.
  void drop(const Error& why);
  /// The message is settled, the transaction done. Counts and logs what became of the report.
  void settle(const Log& log);

 private:
  /// The mail as a message of ours.
  struct Mail {
    Mail(const Surroundings& surroundings, Delivery envelope)
        : delivery(number(std::move(envelope), surroundings)),
          bytes(surroundings, delivery, nullptr),
          accepting(surroundings, delivery, bytes) {}
    Delivery delivery;
    MessageBytes bytes;
    Accepting accepting;
  };

  const Surroundings& surroundings_;
  FailureReports::Wanted wanted_;
  std::unique_ptr<Mail> mail_;  ///< null: nobody gets one, or it was dropped
  std::string problem_;         ///< why it was dropped
  bool ended_ = false;
};

/// What one transaction writes.
struct Together {
  Accepting* message = nullptr;    ///< that is accepted, after begin(); null: it is refused
  ReportBeside* report = nullptr;  ///< about it, if it can be written
  /// What there is to write beside both.
  std::function<Result<void>(store::Transaction&)> also = {};
  store::TransactOptions options = {};
};

/// Makes the plans, and commits; anew when the directory changes in between (kMaxPlans times, then
/// Unavailable). The error is never the report's.
Task<Result<void>> commit(store::Store& store, Together together, Log log);

/// The plan is made anew this often when the directory changes between plan and commit.
inline constexpr int kMaxPlans = 5;

}  // namespace hikyaku::receive
