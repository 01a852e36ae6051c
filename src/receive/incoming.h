// One message on its way in: gathers the header, stages the body, and accepts by one transaction.
// Private to receive/.
#pragma once

#include "base/semaphore.h"
#include "mailbox/digest.h"
#include "mailbox/mailboxes.h"
#include "queue/queue.h"
#include "receive/authentication.h"
#include "receive/failure_reports.h"
#include "receive/plan.h"
#include "receive/receiver.h"
#include "receive/refusals.h"
#include "receive/signing.h"
#include "reports/evaluation.h"

namespace hikyaku::receive {

/// The envelope and what is known of who brought it, owned by the message.
struct Delivery {
  Peer peer;
  smtp::ReversePath from;
  smtp::MailParameters parameters;
  std::vector<smtp::Recipient> recipients;
};

/// What all messages share; outlives them.
struct Surroundings {
  const Settings& settings;
  Services services;
  Semaphore& large_messages;  ///< bounds what is in memory of large messages for parsing at once
  Refusals& refusals;
  FailureReports& failure_reports;
  Log log;
};

/// The plan is made anew this often when the directory changes between plan and commit.
inline constexpr int kMaxPlans = 5;

class IncomingMessage final : public Incoming {
 public:
  IncomingMessage(const Surroundings& surroundings, Delivery delivery,
                  std::unique_ptr<Authentication> authentication);
  ~IncomingMessage() override;

  Task<void> append(std::string_view bytes) override;
  Task<smtp::Reply> finish() override;
  story::MessageId id() const override { return id_; }
  std::size_t memory() const override { return header_.capacity() + small_.capacity(); }

  /// What finish() does, for messages of our own: `also` runs in the accepting transaction.
  Task<Result<void>> accept(queue::Injector::Also also);

  // A message that goes into the transaction of another one: a report about it.

  /// After the last byte: ends staging.
  Task<Result<void>> ready();
  /// Makes the plan and everything that needs time; again when put() says Conflict.
  Task<Result<void>> prepare();
  /// Whom the transaction touches.
  void add_accounts(std::vector<store::AccountId>& accounts) const;
  /// Everything that there is to write. Conflict: the directory is another one than that of the
  /// plan.
  Result<void> put(store::Transaction& tx);

 private:
  /// What goes into the transaction, and what is needed to make it anew.
  struct Ready {
    store::StagedBlob blob;
    std::string received;   ///< our Received field
    std::string results;    ///< our Authentication-Results, or empty
    std::string trace;      ///< both
    std::string passed_on;  ///< what stands in front of `received` when it leaves
    story::Arrival arrived;
    std::vector<reports::Evaluation> evaluated;
    // Both are needed only when somebody here gets the message.
    std::optional<Semaphore::Permit> permit = std::nullopt;
    std::string large = {};
    std::optional<mailbox::BodyDigest> digest = std::nullopt;
    std::vector<mailbox::NewMessage> messages = {};
    std::vector<story::RecipientOutcome> outcomes = {};
  };

  bool submitted() const {
    return delivery_.peer.kind == Peer::Kind::User || delivery_.peer.kind == Peer::Kind::Program;
  }
  Task<void> end_header();
  Task<void> begin_signature();
  Task<void> sign(story::Arrival& arrived);
  Task<void> seal(const store::StagedBlob& blob, const std::string& trace, story::Arrival& arrived);
  Task<smtp::Reply> decide();
  Task<void> store(std::string_view bytes);
  std::optional<smtp::Reply> check_header() const;
  Task<std::optional<smtp::Reply>> check_authors();
  Task<std::optional<smtp::Reply>> check_sender();
  void remove_claimed_results();
  std::string results_field() const;
  bool unchecked_loopback() const {
    return !authentication_ && services_.dns && settings_.authentication.enabled &&
           delivery_.peer.kind == Peer::Kind::Server &&
           delivery_.peer.endpoint.address.is_loopback();
  }
  std::vector<reports::Evaluation> evaluations() const;
  bool to_junk() const { return found_ && found_->disposition.action == dmarc::Action::Junk; }
  std::string received_field() const;
  Task<Result<std::string>> whole_body(const store::StagedBlob& blob);
  PlanRules plan_rules() const;
  Task<Result<void>> commit(queue::Injector::Also also);
  Task<void> work_out_messages();
  Task<void> make_report(dmarc::DeliveryResult result);
  mailbox::NewMessage message_for(const Plan::Local& local, const store::StagedBlob& blob,
                                  const mailbox::BodyDigest& digest,
                                  const std::string& received) const;
  queue::Message queue_message(const store::StagedBlob& blob, std::string prefix) const;
  Result<mailbox::MailboxInfo> find_place(store::Transaction& tx, const Plan::Local& local) const;
  Result<std::vector<Plan::Failed>> place(store::Transaction& tx,
                                          const std::vector<mailbox::NewMessage>& messages,
                                          std::vector<story::RecipientOutcome>& outcomes) const;
  bool has_room(store::Reader& reader, const std::vector<queue::Entry>& queued,
                const queue::Message& message) const;
  bool give_back(std::vector<Plan::Failed> failed, std::vector<queue::Entry>& queued,
                 std::vector<story::RecipientOutcome>& outcomes);
  std::string_view doubt_about_sender() const;
  void withhold_notices();
  void confirm(const std::vector<Plan::Failed>& failed, std::vector<queue::Entry>& queued) const;
  std::string default_author() const;
  std::string notice_wishes() const;
  story::Arrival arrival() const;
  void log_report(const FailureReports::Wanted& wanted) const;
  void log_accepted() const;

  const Surroundings& surroundings_;
  const Settings& settings_;
  Services services_;
  Delivery delivery_;
  story::MessageId id_;
  Time now_;
  Log log_;

  std::unique_ptr<Authentication> authentication_;  ///< null: not another server's message
  std::optional<SenderFindings> found_;             ///< what it came to
  std::size_t removed_results_ = 0;  ///< Authentication-Results fields that claimed to be ours

  std::unique_ptr<store::BlobWriter> writer_;
  std::string
      header_;  ///< as far as it is looked at; complete with its empty line once header_ended_
  bool header_ended_ = false;
  bool header_too_long_ = false;
  bool header_folded_ = false;  ///< it begins with the continuation of nothing
  std::string small_;  ///< all bytes stored so far, while they are few: no need to read them back
  bool is_small_ = true;
  std::vector<KeyRing::Keys> keys_;     ///< of each author's domain that is ours
  std::optional<dkim::Signer> signer_;  ///< has seen the body as far as it came
  std::optional<std::string> signatures_;
  std::optional<std::string> seal_;  ///< our ARC set, when the message leaves again
  std::optional<Error> error_;       ///< what went wrong while bytes came
  std::optional<Ready> ready_;
  bool considered_ = false;                       ///< whether a report about it is wanted
  std::optional<FailureReports::Wanted> wanted_;  ///< one is
  std::unique_ptr<IncomingMessage> report_;       ///< the report
  Plan plan_;
  std::optional<smtp::Reply> refusal_;  ///< none of the recipients can have it any more
};

}  // namespace hikyaku::receive
