#include "receive/accepting.h"

#include <algorithm>
#include <fmt/core.h>
#include <set>
#include <string_view>

#include "auth/directory.h"
#include "base/async.h"
#include "base/semaphore.h"
#include "base/text.h"
#include "mailbox/messages.h"
#include "receive/arrival.h"
#include "receive/passages.h"
#include "receive/sealing.h"
#include "receive/sender_findings.h"
#include "reports/received.h"
#include "smtp/received.h"
#include "smtp/replies.h"

namespace hikyaku::receive {
namespace {

namespace replies = smtp::replies;

/// Up to this size the digest (some 10 µs per KB at worst) is made on the event loop; large
/// messages count as kMost for each recipient, since only their headers are gone through again.
constexpr std::size_t kInline = 32 * 1024;
constexpr std::size_t kMost = 64 * 1024;
/// Digests of one message that need no turn.
constexpr std::size_t kAside = 1024 * 1024;
/// Lines in the log of one message about shares that nobody gets.
constexpr std::size_t kMostLostTold = 10;
/// Where mail goes that fails DMARC, in an account that has no mailbox with the role.
constexpr std::string_view kJunkName = "Junk";

bool is_loop(const smtp::Reply& reply) {
  return reply.status == smtp::EnhancedStatus{5, 4, 6};
}

bool leaves(const queue::Entry& entry) {
  return entry.destination != queue::kNotice;
}

}  // namespace

Accepting::Accepting(const Surroundings& surroundings, const Delivery& delivery,
                     MessageBytes& bytes)
    : settings_(surroundings.settings),
      services_(surroundings.services),
      resolver_(surroundings.resolver),
      delivery_(delivery),
      bytes_(bytes) {}

Task<Result<void>> Accepting::begin() {
  CO_TRY_DO(co_await bytes_.end());
  CO_TRY(blob_, co_await bytes_.stage());
  received_ = received_field(delivery_, settings_);
  results_ = results_field(delivery_, settings_);
  arrived_ = arrival_of(delivery_, bytes_, settings_);
  if (auto doubt = delivery_.doubt_about_sender(); !doubt.empty())
    arrived_.findings.push_back(withheld_notices(doubt, delivery_.from.to_string()));
  evaluated_ = co_await evaluations_of(settings_, services_.store, delivery_);
  co_return Result<void>{};
}

/// People may send again what they have got, to whomever they like.
PlanRules Accepting::plan_rules() const {
  PlanRules rules{resolver_, settings_.report_address, {}, delivery_.began};
  if (delivery_.peer.kind != Peer::Kind::User)
    rules.passages = find_passages(bytes_.header(), settings_.host_name);
  return rules;
}

/// A notice to a forged sender reaches somebody who never wrote; other servers are asked for none,
/// too.
void Accepting::withhold_notices() {
  plan_.confirmed.clear();
  for (auto& entry : plan_.queued) entry.notify = queue::kNotifyNever;
}

Task<Result<void>> Accepting::prepare() {
  auto rules = plan_rules();
  plan_ = co_await make_plan(services_.store, delivery_.recipients, rules);
  if (!delivery_.doubt_about_sender().empty()) withhold_notices();
  CO_TRY_DO(co_await work_out_messages());
  // Who gets it from an alias of ours may trust us to say who sent it. How our own users have
  // logged in is nobody's business elsewhere.
  if (std::ranges::any_of(plan_.queued, leaves)) {
    co_await sign();
    co_await seal();
    passed_on_ = delivery_.found ? seal_.value_or("") + results_ : signatures_.value_or("");
  }
  co_return Result<void>{};
}

/// Here, or on a worker what goes through more than `bytes`.
template <class Work>
Task<void> Accepting::work_out(std::uint64_t bytes, Work work) {
  if (bytes > kInline)
    co_await run_on(services_.workers, work);
  else
    work();
}

/// What the mailboxes get, on a worker when it takes long.
Task<Result<void>> Accepting::work_out_messages() {
  messages_.clear();
  room_.reset();
  if (plan_.local.empty()) co_return Result<void>{};
  auto* small = bytes_.small();
  if (!digest_ && !small) CO_TRY_DO(co_await digest_large());
  if (!digest_) co_await work_out(blob_.size(), [&] { digest_.emplace(*small); });
  // Digests for hundreds of recipients are what a large message is.
  auto memory = plan_.local.size() * std::min(digest_->memory(), mailbox::kMaxDigestBytes);
  if (memory > kAside) room_.emplace(co_await services_.large_messages.acquire(memory));
  co_await work_out(plan_.local.size() * std::min<std::uint64_t>(blob_.size(), kMost), [&] {
    for (auto& local : plan_.local) messages_.push_back(message_for(local));
  });
  co_return Result<void>{};
}

/// The whole message is in memory within this and no longer: neither while it is signed nor while
/// the disk works.
Task<Result<void>> Accepting::digest_large() {
  auto permit = co_await services_.large_messages.acquire(blob_.size());
  CO_TRY(auto whole, co_await bytes_.read(blob_));
  digest_.emplace(co_await run_on(
      services_.workers, [whole = std::move(whole)] { return mailbox::BodyDigest(whole); }));
  co_return Result<void>{};
}

/// What one recipient's mailbox gets: the body that all share, with a prefix of its own.
mailbox::NewMessage Accepting::message_for(const Plan::Local& local) const {
  mailbox::NewMessage message;
  message.body = blob_;
  message.received = delivery_.began;
  message.prefix = smtp::format_return_path(delivery_.from) +
                   smtp::format_delivered_to(local.account_address) + results_ + received_;
  message.digest = digest_->with_prefix(message.prefix);
  return message;
}

/// Makes the signatures, once.
Task<void> Accepting::sign() {
  if (signatures_) co_return;
  auto made = co_await bytes_.signer().finish(std::string(bytes_.header_alone()), delivery_.log);
  signatures_ = std::move(made.fields);
  std::ranges::move(made.findings, std::back_inserter(arrived_.findings));
}

/// Seals what another server brought and an alias sends on, once. The body is read once more for
/// it, so that nothing is hashed of mail that stays.
Task<void> Accepting::seal() {
  auto& found = delivery_.found;
  if (seal_ || !settings_.seal || !found || !services_.keys || bytes_.header_too_long()) co_return;
  auto header = bytes_.header_alone();
  auto* small = bytes_.small();
  Departure message{.domains = sealing_domains(plan_, settings_.host_name),
                    .header = results_ + received_ + std::string(header),
                    .body = small ? small->substr(header.size()) : std::string(),
                    .staged_header = header.size(),
                    .chain = found->arc,
                    .found = authentication_results(*found, settings_.host_name),
                    .now = delivery_.began};
  if (!small) message.staged = blob_;
  auto sealed = co_await receive::seal(std::move(message), *services_.keys, services_.workers,
                                       services_.store);
  seal_ = std::move(sealed.fields);
  if (!sealed.finding) co_return;
  if (seal_->empty()) delivery_.log.warn("message.unsealed", {{"err", sealed.finding->reason}});
  arrived_.findings.push_back(std::move(*sealed.finding));
}

void Accepting::add_accounts(std::vector<store::AccountId>& accounts) const {
  std::set<store::AccountId> known(accounts.begin(), accounts.end());
  for (auto& local : plan_.local)
    if (known.insert(local.account).second) accounts.push_back(local.account);
}

Result<void> Accepting::put(store::Transaction& tx, const std::vector<story::Finding>& also_found) {
  if (auth::directory_version(tx) != plan_.directory_version)
    return fail(ErrorCode::Conflict, "the directory has changed");
  auto outcomes = plan_.outcomes;
  TRY(auto failed, place(tx, outcomes));
  auto queued = plan_.queued;
  auto arrived = arrived_;
  if (!confirm(tx, failed, queued))
    arrived.findings.push_back({"dsn", "left out", "the queue is full"});
  if (!give_back(std::move(failed), queued, outcomes))
    return fail(ErrorCode::Denied, "nobody takes the message any more");
  TRY_DO(queue_rest(tx, queued));
  TRY_DO(take_report(tx, queued, outcomes));
  // No mailbox here, so no Junk either.
  if (plan_.local.empty() && delivery_.to_junk())
    for (auto& finding : arrived.findings)
      if (finding.check == "decision") finding.result = plan_.reports ? "report" : "sent-on";
  std::ranges::copy(also_found, std::back_inserter(arrived.findings));
  std::ranges::copy(plan_.lost, std::back_inserter(outcomes));
  story::record_arrival(tx, delivery_.id, arrived, outcomes);
  for (auto& evaluation : evaluated_) reports::record_evaluation(tx, evaluation);
  return {};
}

void Accepting::tell_lost() const {
  for (std::size_t i = 0; i < std::min(plan_.lost.size(), kMostLostTold); ++i) {
    auto& lost = plan_.lost[i];
    delivery_.log.warn("recipient.lost", {{"rcpt", lost.address}, {"why", lost.detail}});
  }
  if (plan_.lost.size() > kMostLostTold)
    delivery_.log.warn("recipient.lost", {{"untold", plan_.lost.size() - kMostLostTold}});
}

/// Where others take the message too, a report too many is lost for us, and the story says so.
Result<void> Accepting::take_report(store::Transaction& tx, const std::vector<queue::Entry>& queued,
                                    std::vector<story::RecipientOutcome>& outcomes) {
  if (!plan_.reports) return {};
  reports::Taken taken{delivery_.id, 0, delivery_.began, delivery_.from.to_string(),
                       report_sender()};
  if (reports::take_in(tx, taken, blob_)) return {};
  auto reply = replies::too_many_reports();
  if (plan_.local.empty() && queued.empty()) {
    refusal_ = std::move(reply);
    return fail(ErrorCode::Denied, "too many reports have come today");
  }
  for (auto& outcome : outcomes)
    if (outcome.detail == kToReports)
      outcome = {outcome.address, story::RecipientOutcome::Kind::Refused, reply.to_string()};
  return {};
}

/// Who is shown to have sent it, if it is a report.
reports::Sender Accepting::report_sender() const {
  if (delivery_.found) return reports::sender_of(delivery_.found->dmarc);
  auto& from = arrived_.header_from;
  auto at = from.rfind('@');
  auto domain = at == std::string::npos ? std::string() : to_lower(from.substr(at + 1));
  using State = reports::Sender::State;
  return {delivery_.is_ours() ? State::Proved : State::Unchecked, std::move(domain)};
}

/// INBOX, or Junk, which is made when it is not there.
Result<mailbox::MailboxInfo> Accepting::find_place(store::Transaction& tx,
                                                   const Plan::Local& local) const {
  auto to_junk = delivery_.to_junk();
  auto role = to_junk ? mailbox::Role::Junk : mailbox::Role::Inbox;
  if (auto found = mailbox::find_role(tx, local.account, role)) return *found;
  if (!to_junk) return fail(ErrorCode::Internal, "account {} has no inbox", local.account_address);
  // A mailbox of that name without the role is what its owner meant by it.
  if (auto named = mailbox::find_mailbox(tx, local.account, kJunkName)) return *named;
  auto now = delivery_.began;
  auto made = mailbox::create_mailbox(tx, local.account, kJunkName, mailbox::Role::Junk, now);
  if (made) TRY_DO(mailbox::subscribe_mailbox(tx, local.account, kJunkName, true, now));
  return made;
}

/// Puts the message into the mailboxes; gives the recipients for whom that cannot be.
Result<std::vector<Plan::Failed>> Accepting::place(
    store::Transaction& tx, std::vector<story::RecipientOutcome>& outcomes) const {
  auto failed = plan_.failed;
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    auto& local = plan_.local[i];
    TRY(auto place, find_place(tx, local));
    auto placed = mailbox::deliver(tx, local.account, place.id, messages_[i], delivery_.began);
    if (placed) {
      outcomes[local.outcome].detail +=
          fmt::format("mailbox {} of {}, UID {}", place.path, local.account_address, placed->uid);
    } else if (placed.error().code == ErrorCode::QuotaExceeded) {
      failed.push_back({local.declared, local.outcome, replies::mailbox_full(local.account_address),
                        local.account});
    } else {
      return std::unexpected(std::move(placed).error());
    }
  }
  return failed;
}

/// NOTIFY=SUCCESS: what is delivered here, or expanded, is told by an entry of its own: it is as
/// durable as the delivery. Strangers ask for that as they like, and their servers may take none of
/// it: false when the queue has no room, and nothing is told. (What failed always is.)
bool Accepting::confirm(store::Reader& reader, const std::vector<Plan::Failed>& failed,
                        std::vector<queue::Entry>& queued) const {
  if (delivery_.from.is_null() || plan_.confirmed.empty()) return true;
  if (delivery_.peer.kind == Peer::Kind::Server &&
      !may_queue(reader, settings_, queued.size() + plan_.confirmed.size(), bytes_.size()))
    return false;
  std::set<std::size_t> refused;
  std::set<store::AccountId> full;
  for (auto& one : failed) {
    refused.insert(one.declared);
    if (one.account != 0) full.insert(one.account);
  }
  for (auto& [declared, notice, account] : plan_.confirmed) {
    if (!refused.contains(declared) && !full.contains(account))
      queued.push_back(confirmation_entry(delivery_.recipients[declared], notice, delivery_.began));
  }
  return true;
}

/// The message is for several, and some cannot have it any more (full, gone since RCPT): they get a
/// queue entry that does nothing but bounce. False: the reply says it, and nothing is accepted.
/// That is when nobody is left, and when somebody would be left out whom no bounce may tell of:
/// what is sent again after that, RCPT refuses for that one alone.
bool Accepting::give_back(std::vector<Plan::Failed> failed, std::vector<queue::Entry>& queued,
                          std::vector<story::RecipientOutcome>& outcomes) {
  auto ours = delivery_.is_ours();
  if (!failed.empty() && failed.size() == outcomes.size() && !ours) {
    refusal_ = failed.front().reply;
    return false;
  }
  refusal_.reset();
  auto may_bounce = !ours && !delivery_.from.is_null() && delivery_.doubt_about_sender().empty();
  for (auto& [declared, outcome, reply, account] : failed) {
    if (reply.temporary()) {
      // The sender gets no second chance to give it to this one alone.
      reply.code += 100;
      reply.status->klass = 5;
    }
    outcomes[outcome].kind = story::RecipientOutcome::Kind::Refused;
    outcomes[outcome].detail = reply.to_string();
    if (may_bounce)
      queued.push_back(bounce_entry(delivery_.recipients[declared], reply, delivery_.began));
  }
  if (may_bounce || ours) return true;
  std::set<std::string_view> reached;
  for (auto& outcome : outcomes)
    if (outcome.kind != story::RecipientOutcome::Kind::Refused) reached.insert(outcome.address);
  for (auto& one : failed) {
    auto& address = outcomes[one.outcome].address;
    // An alias of several has reached the others; a loop was here before, and would be again.
    if (is_loop(one.reply) || reached.contains(address)) continue;
    refusal_ = replies::would_be_left_out(address);
    return false;
  }
  return true;
}

Result<void> Accepting::queue_rest(store::Transaction& tx,
                                   const std::vector<queue::Entry>& queued) {
  if (queued.empty()) return {};
  auto message = queue_message();
  if (!has_room(tx, queued, message)) {
    refusal_ = replies::queue_full();
    return fail(ErrorCode::Denied, "the queue is full");
  }
  queue::add(tx, std::move(message), blob_, queued);
  return {};
}

queue::Message Accepting::queue_message() const {
  queue::Message queued;
  queued.id = delivery_.id;
  queued.prefix = passed_on_ + received_;
  queued.size = queued.prefix.size() + blob_.size();
  queued.mail_from = delivery_.from.to_string();
  queued.envelope_id = delivery_.parameters.envid.value_or("");
  queued.ret = delivery_.parameters.ret;
  queued.eight_bit = delivery_.parameters.body == smtp::Body::EightBitMime;
  // Many clients ask for SMTPUTF8 with every message; the next server must know it only when the
  // header needs it (RFC 6531 §3.6).
  queued.smtputf8 = delivery_.parameters.smtputf8 && !is_ascii(bytes_.header());
  queued.arrived = delivery_.began;
  queued.account = delivery_.peer.login ? delivery_.peer.login->account : 0;
  return queued;
}

/// Whether the queue takes what is on its way to others. What is for the sender alone, and mail of
/// our own, is never turned away: it tells of what was accepted before.
bool Accepting::has_room(store::Reader& reader, const std::vector<queue::Entry>& queued,
                         const queue::Message& message) const {
  if (delivery_.is_ours()) return true;
  auto leaving = std::ranges::count_if(queued, leaves);
  return leaving == 0 ||
         may_queue(reader, settings_, static_cast<std::uint64_t>(leaving), message.size);
}

}  // namespace hikyaku::receive
