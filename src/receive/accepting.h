// Accepting: one message whose bytes have all come goes into a transaction: mailboxes, queue and
// story together. Private to receive/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/semaphore.h"
#include "mailbox/digest.h"
#include "mailbox/mailboxes.h"
#include "queue/queue.h"
#include "receive/delivery.h"
#include "receive/message_bytes.h"
#include "receive/plan.h"
#include "reports/evaluation.h"
#include "reports/sender.h"

namespace hikyaku::receive {

/// begin(), then prepare() and put(), both anew as long as put() says Conflict.
class Accepting {
 public:
  /// All of them outlive it. Of `delivery` what was found out must be known at begin().
  Accepting(const Surroundings& surroundings, const Delivery& delivery, MessageBytes& bytes);

  /// After the last byte: ends staging, and writes down what is said of the message.
  Task<Result<void>> begin();
  /// Makes the plan and everything that needs time.
  Task<Result<void>> prepare();
  /// Adds whom the transaction touches.
  void add_accounts(std::vector<store::AccountId>& accounts) const;
  /// Writes everything; `also_found` goes into the story, too. Conflict: the directory is another
  /// one than that of the plan. Denied: see refusal().
  Result<void> put(store::Transaction& tx, const std::vector<story::Finding>& also_found = {});

  /// After the commit: the log has whose share nobody gets.
  void tell_lost() const;

  /// Set by put(): none of the recipients can have it any more, or it would be queued and the queue
  /// is full.
  const std::optional<smtp::Reply>& refusal() const { return refusal_; }

 private:
  PlanRules plan_rules() const;
  void withhold_notices();
  Task<Result<void>> work_out_messages();
  template <class Work>
  Task<void> work_out(std::uint64_t bytes, Work work);
  Task<Result<void>> digest_large();
  mailbox::NewMessage message_for(const Plan::Local& local) const;
  Task<void> sign();
  Task<void> seal();
  queue::Message queue_message() const;
  Result<void> take_report(store::Transaction& tx, const std::vector<queue::Entry>& queued,
                           std::vector<story::RecipientOutcome>& outcomes);
  reports::Sender report_sender() const;
  Result<mailbox::MailboxInfo> find_place(store::Transaction& tx, const Plan::Local& local) const;
  Result<std::vector<Plan::Failed>> place(store::Transaction& tx,
                                          std::vector<story::RecipientOutcome>& outcomes) const;
  bool give_back(std::vector<Plan::Failed> failed, std::vector<queue::Entry>& queued,
                 std::vector<story::RecipientOutcome>& outcomes);
  bool confirm(store::Reader& reader, const std::vector<Plan::Failed>& failed,
               std::vector<queue::Entry>& queued) const;
  Result<void> queue_rest(store::Transaction& tx, const std::vector<queue::Entry>& queued);
  bool has_room(store::Reader& reader, const std::vector<queue::Entry>& queued,
                const queue::Message& message) const;

  const Settings& settings_;
  const Services& services_;
  auth::CachedResolver& resolver_;
  const Delivery& delivery_;
  MessageBytes& bytes_;

  // From begin() on.
  store::StagedBlob blob_;
  std::string received_;  ///< our Received field
  std::string results_;   ///< our Authentication-Results, or empty
  story::Arrival arrived_;
  std::vector<reports::Evaluation> evaluated_;

  // From prepare() on; what depends on the plan is made anew.
  Plan plan_;
  std::optional<mailbox::BodyDigest> digest_;  ///< once somebody here gets the message
  std::optional<Semaphore::Permit> room_;      ///< for messages_, when they are large
  std::vector<mailbox::NewMessage> messages_;  ///< for each of plan_.local
  std::optional<std::string> signatures_;      ///< once it leaves
  std::optional<std::string> seal_;            ///< our ARC set, likewise
  std::string passed_on_;  ///< what stands in front of `received_` when it leaves

  std::optional<smtp::Reply> refusal_;
};

}  // namespace hikyaku::receive
