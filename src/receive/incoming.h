// One message on its way in: gathers the header, stages the body, and accepts by one transaction.
// Private to receive/.
#pragma once

#include "base/semaphore.h"
#include "mailbox/digest.h"
#include "mailbox/mailboxes.h"
#include "queue/queue.h"
#include "receive/authentication.h"
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

class IncomingMessage final : public Incoming {
 public:
  IncomingMessage(const Settings& settings, Services services, Semaphore& large_parses,
                  Refusals& refusals, Log log, Delivery delivery,
                  std::unique_ptr<Authentication> authentication);
  ~IncomingMessage() override;

  Task<void> append(std::string_view bytes) override;
  Task<smtp::Reply> finish() override;
  story::MessageId id() const override { return id_; }

  /// What finish() does, for messages of our own: `also` runs in the accepting transaction.
  Task<Result<void>> accept(queue::Injector::Also also);

 private:
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
  Task<Result<void>> commit(const store::StagedBlob& blob, queue::Injector::Also also);
  mailbox::NewMessage message_for(const Plan::Local& local, const store::StagedBlob& blob,
                                  const mailbox::BodyDigest& digest,
                                  const std::string& received) const;
  queue::Message queue_message(const store::StagedBlob& blob, std::string prefix) const;
  Result<mailbox::MailboxInfo> find_place(store::Transaction& tx, const Plan::Local& local) const;
  Result<std::vector<Plan::Failed>> place(store::Transaction& tx,
                                          const std::vector<mailbox::NewMessage>& messages,
                                          std::vector<story::RecipientOutcome>& outcomes) const;
  bool give_back(std::vector<Plan::Failed> failed, std::vector<queue::Entry>& queued,
                 std::vector<story::RecipientOutcome>& outcomes);
  std::string_view doubt_about_sender() const;
  void withhold_notices();
  void confirm(const std::vector<Plan::Failed>& failed, std::vector<queue::Entry>& queued) const;
  std::string default_author() const;
  std::string notice_wishes() const;
  story::Arrival arrival() const;
  void log_accepted() const;

  const Settings& settings_;
  Services services_;
  Semaphore& large_parses_;  ///< bounds how many large messages are in memory for parsing at once
  Refusals& refusals_;
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
  KeyRing::Keys keys_;                  ///< of the author's domain, when it is ours
  std::optional<dkim::Signer> signer_;  ///< has seen the body as far as it came
  std::optional<std::string> signatures_;
  std::optional<std::string> seal_;  ///< our ARC set, when the message leaves again
  std::optional<Error> error_;       ///< what went wrong while bytes came
  Plan plan_;
  std::optional<smtp::Reply> refusal_;  ///< none of the recipients can have it any more
};

}  // namespace hikyaku::receive
