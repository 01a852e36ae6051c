#include "receive/incoming.h"

#include <algorithm>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "auth/directory.h"
#include "base/async.h"
#include "base/text.h"
#include "dns/name.h"
#include "mailbox/digest.h"
#include "mailbox/messages.h"
#include "mime/address.h"
#include "mime/authentication_results.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "receive/sealing.h"
#include "receive/sender_findings.h"
#include "receive/submission_header.h"
#include "reports/received.h"
#include "smtp/parameters.h"
#include "smtp/received.h"
#include "smtp/replies.h"
#include "smtp/trace.h"

namespace hikyaku::receive {
namespace {

namespace replies = smtp::replies;

/// Up to this size a message is kept here until its digest is made; larger ones are read back from
/// where they are staged, which is memory too while there is some.
constexpr std::size_t kSmall = 64 * 1024;
/// Up to this size the digest (some 10 µs per KB at worst) is made on the event loop.
constexpr std::size_t kInline = 32 * 1024;
constexpr std::size_t kReadPiece = 1 << 20;
/// Authors whose domains sign; each of them makes two signatures.
constexpr std::size_t kMostAuthors = 4;
/// The story keeps about so much of what the sender said about notices.
constexpr std::size_t kMaxWishes = 300;
/// Where mail goes that fails DMARC, in an account that has no mailbox with the role.
constexpr std::string_view kJunkName = "Junk";

/// Where the empty line ends the header, at or after `from`; npos while it has not come.
std::size_t header_end(std::string_view bytes, std::size_t from) {
  if (bytes.starts_with("\r\n")) return 2;
  auto at = bytes.find("\r\n\r\n", from < 3 ? 0 : from - 3);
  return at == std::string_view::npos ? at : at + 4;
}

smtp::Reply reply_for(const Error& error) {
  switch (error.code) {
    case ErrorCode::NoSpace:
      return replies::no_space();
    case ErrorCode::Shutdown:
      return {421, smtp::EnhancedStatus{4, 3, 2}, "Shutting down, try again later"};
    case ErrorCode::TooLarge:
      return {552, smtp::EnhancedStatus{5, 3, 4}, error.text};
    case ErrorCode::Denied:
    case ErrorCode::Invalid:
      return {550, smtp::EnhancedStatus{5, 7, 1}, error.text};
    default:
      return {451, smtp::EnhancedStatus{4, 3, 0}, "Could not store the message, try again later"};
  }
}

bool is_loop(const smtp::Reply& reply) {
  return reply.status == smtp::EnhancedStatus{5, 4, 6};
}

}  // namespace

IncomingMessage::IncomingMessage(const Surroundings& surroundings, Delivery delivery,
                                 std::unique_ptr<Authentication> authentication)
    : surroundings_(surroundings),
      settings_(surroundings.settings),
      services_(surroundings.services),
      delivery_(std::move(delivery)),
      id_(story::make_message_id(services_.clock.now(), services_.random.below(1u << 22))),
      now_(services_.clock.now()),
      log_(surroundings.log.with({{"mid", story::to_text(id_)}})),
      authentication_(std::move(authentication)),
      writer_(services_.store.stage(delivery_.from.to_string().substr(0, 150))) {}

IncomingMessage::~IncomingMessage() = default;

Task<void> IncomingMessage::append(std::string_view bytes) {
  if (header_ended_) {
    if (authentication_) co_await authentication_->body(bytes);
    if (signer_) signer_->body(bytes);
    co_await store(bytes);
    co_return;
  }
  auto searched = header_.size();
  header_ += bytes;
  auto end = header_end(header_, searched);
  if (end != std::string::npos && end <= settings_.max_header) {
    auto rest = header_.substr(end);
    header_.resize(end);
    co_await end_header();
    if (authentication_) co_await authentication_->body(rest);
    if (signer_) signer_->body(rest);
    co_await store(rest);
  } else if (header_.size() > settings_.max_header) {
    header_too_long_ = true;
    co_await end_header();
  }
}

Task<void> IncomingMessage::end_header() {
  header_ended_ = true;
  // A text without a header: what is put in front of it must not become one with its first lines.
  auto headless = !header_.empty() && mime::header_length(header_) == 0;
  if (headless) header_.insert(0, "\r\n");
  header_folded_ = !header_.empty() && is_ascii_space(header_.front());
  if (authentication_)
    authentication_->header(headless ? "\r\n" : std::string_view(header_), !header_too_long_);
  remove_claimed_results();
  if (submitted() && !header_too_long_) {
    header_ = complete_header(
        header_, {.from = default_author(),
                  .now = now_,
                  .message_id = fmt::format("{}@{}", story::to_text(id_), settings_.host_name)});
  }
  co_await begin_signature();
  co_await store(header_);
}

/// What our users, programs and we ourselves write is signed by the domain of each author that is
/// ours (RFC 9989 §11.5: each is looked at by itself). Whatever others sent is theirs to sign.
Task<void> IncomingMessage::begin_signature() {
  if (!services_.keys || header_too_long_ || delivery_.peer.kind == Peer::Kind::Server) co_return;
  std::vector<dkim::SigningKey> all;
  for (auto& author : author_domains(header_, kMostAuthors)) {
    auto found = co_await services_.keys->keys_for(author);
    auto same = [&](auto& other) { return other.domain == found.domain; };
    if (found.domain.empty() || std::ranges::any_of(keys_, same)) continue;
    std::ranges::copy(found.keys, std::back_inserter(all));
    keys_.push_back(std::move(found));
  }
  if (all.empty()) co_return;
  signer_.emplace(std::move(all), dkim::SignOptions{.now = now_,
                                                    .lifetime = settings_.signature_lifetime,
                                                    .oversigned = settings_.oversigned});
  // Text without an empty line is a body, whatever it was taken for while it came.
  signer_->body(std::string_view(header_).substr(mime::header_length(header_)));
}

/// Makes the signatures, once; what is wrong with them is told and lets the message go without.
Task<void> IncomingMessage::sign(story::Arrival& arrived) {
  if (signatures_ || keys_.empty()) co_return;
  signatures_.emplace();
  std::string problem;
  if (signer_) {
    auto header = header_.substr(0, mime::header_length(header_));
    auto made = co_await run_on(
        services_.workers, [signer = std::move(*signer_), header = std::move(header)]() mutable {
          return signer.finish(header);
        });
    signer_.reset();
    if (made)
      signatures_ = std::move(*made);
    else
      problem = made.error().describe();
  }
  for (auto& [domain, keys, missing] : keys_) {
    if (keys.empty() || !problem.empty()) {
      auto& why = problem.empty() ? missing : problem;
      arrived.findings.push_back({"dkim-sign", "unsigned", why});
      log_.warn("message.unsigned", {{"domain", domain}, {"err", why}});
      continue;
    }
    std::string selectors;
    for (auto& key : keys) selectors += (selectors.empty() ? "" : ",") + key.selector;
    arrived.findings.push_back(
        {"dkim-sign", "signed", fmt::format("d={}; s={}", domain, selectors)});
  }
}

/// Seals what another server brought and an alias sends on, once. `trace`: our fields that it
/// leaves with. The body is read once more for it, so that nothing is hashed of mail that stays.
Task<void> IncomingMessage::seal(const store::StagedBlob& blob, const std::string& trace,
                                 story::Arrival& arrived) {
  if (seal_ || !settings_.seal || !found_ || !services_.keys || header_too_long_) co_return;
  auto header_length = mime::header_length(header_);
  Departure message{.domains = sealing_domains(plan_, settings_.host_name),
                    .header = trace + header_.substr(0, header_length),
                    .body = is_small_ ? small_.substr(header_length) : std::string(),
                    .staged_header = header_length,
                    .chain = found_->arc,
                    .found = authentication_results(*found_, settings_.host_name),
                    .now = now_};
  if (!is_small_) message.staged = blob;
  auto sealed = co_await receive::seal(std::move(message), *services_.keys, services_.workers,
                                       services_.store);
  seal_ = std::move(sealed.fields);
  if (!sealed.finding) co_return;
  if (seal_->empty()) log_.warn("message.unsealed", {{"err", sealed.finding->reason}});
  arrived.findings.push_back(std::move(*sealed.finding));
}

/// Only we say what we found out: a field that claims to be ours can only be forged (RFC 8601 §5).
/// The signatures are checked on what was there before.
void IncomingMessage::remove_claimed_results() {
  if (delivery_.peer.kind == Peer::Kind::Self) return;
  auto claims = [&](const mime::Field& field) {
    return field.is("Authentication-Results") &&
           mime::claims_authserv_id(field.value, settings_.host_name);
  };
  mime::HeaderView fields(header_);
  removed_results_ =
      static_cast<std::size_t>(std::ranges::count_if(fields.begin(), fields.end(), claims));
  if (removed_results_ > 0) header_ = mime::without_claimed_results(header_, settings_.host_name);
}

/// Whom a message without From is from: the envelope knows (a user's sender was checked at MAIL).
std::string IncomingMessage::default_author() const {
  if (!delivery_.from.is_null()) return delivery_.from.to_string();
  if (delivery_.peer.login) return delivery_.peer.login->address;
  return "postmaster@" + settings_.host_name;
}

Task<void> IncomingMessage::store(std::string_view bytes) {
  if (error_ || bytes.empty()) co_return;
  // What we write ourselves is in memory anyway, and must not wait for what it belongs to.
  if (is_small_ && delivery_.peer.kind != Peer::Kind::Self &&
      small_.size() + bytes.size() > kSmall) {
    is_small_ = false;
    small_ = {};
  }
  if (is_small_) small_ += bytes;
  auto appended = co_await writer_->append(bytes);
  if (!appended) error_ = std::move(appended).error();
}

Task<smtp::Reply> IncomingMessage::finish() {
  auto reply = co_await decide();
  // What another server is to send again is told too when it is about who sent it.
  if (reply.permanent() || (found_ && found_->disposition.action == dmarc::Action::Defer)) {
    std::vector<Refused> refused;
    for (auto& recipient : delivery_.recipients)
      refused.push_back({recipient.to.to_string(), reply});
    BesideRefusal beside;
    if (reply.permanent()) {
      beside.evaluations = evaluations();
      co_await make_report(dmarc::DeliveryResult::Reject);
      beside.report = report_.get();
    }
    auto arrived = arrival();
    if (wanted_) std::ranges::copy(wanted_->findings, std::back_inserter(arrived.findings));
    co_await surroundings_.refusals.remember(
        id_, std::move(arrived), std::move(refused),
        log_.with({{"ip", delivery_.peer.endpoint.address.to_string()}}), std::move(beside));
  }
  co_return reply;
}

Task<smtp::Reply> IncomingMessage::decide() {
  if (!header_ended_) co_await end_header();
  if (error_) co_return reply_for(*error_);
  if (auto refusal = check_header()) co_return *refusal;
  if (auto refusal = co_await check_authors()) co_return *refusal;
  if (auto refusal = co_await check_sender()) co_return *refusal;
  auto accepted = co_await accept({});
  if (refusal_) co_return *refusal_;
  if (!accepted) {
    log_.warn("message.failed", {{"err", accepted.error().describe()}});
    co_return reply_for(accepted.error());
  }
  log_accepted();
  co_return replies::accepted(story::to_text(id_));
}

std::optional<smtp::Reply> IncomingMessage::check_header() const {
  // What stands behind the limit was not looked at: who it says it is from, nor what it claims that
  // we have found out (RFC 8601 §5).
  if (header_too_long_) {
    return smtp::Reply{552, smtp::EnhancedStatus{5, 3, 4},
                       fmt::format("The header is longer than {} bytes", settings_.max_header)};
  }
  if (header_folded_) return replies::header_begins_folded();
  if (smtp::count_received(header_) > settings_.max_received) return replies::mail_loop();
  return std::nullopt;
}

Task<std::optional<smtp::Reply>> IncomingMessage::check_authors() {
  if (delivery_.peer.kind != Peer::Kind::User) co_return std::nullopt;
  auto addresses = author_addresses(header_);
  if (addresses.empty()) {
    // What no parser of ours takes for an address, another program may still show as one.
    co_return smtp::Reply{550, smtp::EnhancedStatus{5, 6, 0},
                          "The From field holds no address; write it as Name <user@example.org>"};
  }
  auto account = delivery_.peer.login->account;
  auto& delimiters = settings_.recipient_delimiters;
  auto foreign =
      co_await services_.store.read([&](store::Reader& reader) -> std::optional<std::string> {
        for (auto& address : addresses) {
          if (!auth::may_send_as(reader, account, address, delimiters)) return address;
        }
        return std::nullopt;
      });
  if (!foreign) co_return std::nullopt;
  co_return smtp::Reply{550, smtp::EnhancedStatus{5, 7, 1},
                        fmt::format("You are {} and may not send as {} (From or Sender field)",
                                    delivery_.peer.login->address, printable(*foreign, 200))};
}

Task<std::optional<smtp::Reply>> IncomingMessage::check_sender() {
  if (!authentication_) co_return std::nullopt;
  found_ = co_await authentication_->finish();
  delivery_.peer.reverse_name = found_->reverse_name.name;
  auto& disposition = found_->disposition;
  if (disposition.action == dmarc::Action::Refuse)
    co_return smtp::Reply{550, smtp::EnhancedStatus{5, 7, 1},
                          dmarc::reply_text(disposition, found_->dmarc)};
  if (disposition.action == dmarc::Action::Defer)
    co_return smtp::Reply{451, smtp::EnhancedStatus{4, 7, 0},
                          dmarc::reply_text(disposition, found_->dmarc)};
  co_return std::nullopt;
}

/// What the domains that ask for reports will be told.
std::vector<reports::Evaluation> IncomingMessage::evaluations() const {
  if (!found_) return {};
  return reports::evaluations_of(found_->dmarc, {&found_->spf_mail_from, &found_->signatures},
                                 found_->disposition, {found_->client, delivery_.from.to_string()},
                                 now_);
}

/// What was found out about the sender, for whoever reads the message here.
std::string IncomingMessage::results_field() const {
  if (found_) return authentication_results_field(*found_, settings_.host_name);
  if (delivery_.peer.kind == Peer::Kind::User)
    return submitted_results_field(*delivery_.peer.login, settings_.host_name);
  if (unchecked_loopback()) return unchecked_results_field(settings_.host_name);
  return {};
}

std::string IncomingMessage::received_field() const {
  auto& peer = delivery_.peer;
  smtp::ReceivedField field;
  field.hello = peer.hello;
  field.reverse_name = peer.reverse_name;
  auto ours = peer.kind == Peer::Kind::User;
  if (peer.kind == Peer::Kind::Server || (ours && !settings_.hide_client_address))
    field.from = peer.endpoint.address;
  field.by = settings_.host_name;
  field.with = peer.with;
  field.tls = peer.tls;
  field.id = story::to_text(id_);
  if (delivery_.recipients.size() == 1) field.recipient = delivery_.recipients.front().to;
  field.utf8 = delivery_.parameters.smtputf8;
  field.when = now_;
  return smtp::format_received(field);
}

/// All bytes of a large message, read back from where they were staged.
Task<Result<std::string>> IncomingMessage::whole_body(const store::StagedBlob& blob) {
  CO_TRY(auto reader, co_await services_.store.open_staged(blob));
  std::string body;
  body.reserve(blob.size());
  while (body.size() < blob.size()) {
    CO_TRY(auto piece, co_await reader->read(body.size(), kReadPiece));
    if (piece.empty())
      co_return fail(ErrorCode::Corrupt, "the staged message is shorter than it was");
    body += piece;
  }
  co_return body;
}

/// What one recipient's mailbox gets: the body that all share, with a prefix of its own.
mailbox::NewMessage IncomingMessage::message_for(const Plan::Local& local,
                                                 const store::StagedBlob& blob,
                                                 const mailbox::BodyDigest& digest,
                                                 const std::string& trace) const {
  mailbox::NewMessage message;
  message.body = blob;
  message.received = now_;
  message.prefix = smtp::format_return_path(delivery_.from) +
                   smtp::format_delivered_to(local.account_address) + trace;
  message.digest = digest.with_prefix(message.prefix);
  return message;
}

queue::Message IncomingMessage::queue_message(const store::StagedBlob& blob,
                                              std::string prefix) const {
  queue::Message queued;
  queued.id = id_;
  queued.size = prefix.size() + blob.size();
  queued.prefix = std::move(prefix);
  queued.mail_from = delivery_.from.to_string();
  queued.envelope_id = delivery_.parameters.envid.value_or("");
  queued.ret = delivery_.parameters.ret;
  queued.eight_bit = delivery_.parameters.body == smtp::Body::EightBitMime;
  // Many clients ask for SMTPUTF8 with every message; the next server must know it only when the
  // header needs it (RFC 6531 §3.6).
  queued.smtputf8 = delivery_.parameters.smtputf8 && !is_ascii(header_);
  queued.arrived = now_;
  queued.account = delivery_.peer.login ? delivery_.peer.login->account : 0;
  return queued;
}

/// People may send again what they have got, to whomever they like.
PlanRules IncomingMessage::plan_rules() const {
  PlanRules rules{settings_.recipient_delimiters, settings_.report_address, {}, now_};
  if (delivery_.peer.kind != Peer::Kind::User)
    rules.passages = find_passages(header_, settings_.host_name);
  return rules;
}

Task<Result<void>> IncomingMessage::ready() {
  if (!header_ended_) co_await end_header();
  if (error_) co_return std::unexpected(*error_);
  CO_TRY(auto blob, co_await writer_->finish());
  auto received = received_field();
  auto results = results_field();
  auto trace = results + received;
  ready_.emplace(blob, std::move(received), std::move(results), std::move(trace), std::string(),
                 arrival(), evaluations());
  co_return Result<void>{};
}

Task<Result<void>> IncomingMessage::accept(queue::Injector::Also also) {
  CO_TRY_DO(co_await ready());
  co_return co_await commit(std::move(also));
}

Task<Result<void>> IncomingMessage::prepare() {
  auto& ready = *ready_;
  auto rules = plan_rules();
  plan_ = co_await services_.store.read(
      [&](store::Reader& reader) { return make_plan(reader, delivery_.recipients, rules); });
  if (!doubt_about_sender().empty()) withhold_notices();
  if (!plan_.local.empty() && !ready.digest && !is_small_) {
    ready.permit.emplace(co_await surroundings_.large_messages.acquire(ready.blob.size()));
    CO_TRY(ready.large, co_await whole_body(ready.blob));
  }
  auto leaves = std::ranges::any_of(
      plan_.queued, [](auto& entry) { return entry.destination != queue::kNotice; });
  // Who gets it from an alias of ours may trust us to say who sent it. How our own users have
  // logged in is nobody's business elsewhere.
  if (leaves) {
    co_await sign(ready.arrived);
    co_await seal(ready.blob, ready.trace, ready.arrived);
    ready.passed_on = found_ ? seal_.value_or("") + ready.results : signatures_.value_or("");
  }
  co_await work_out_messages();
  co_return Result<void>{};
}

/// What the mailboxes get, on a worker when it takes long.
Task<void> IncomingMessage::work_out_messages() {
  auto& ready = *ready_;
  auto work_out = [&] {
    if (!ready.digest) ready.digest.emplace(is_small_ ? small_ : ready.large);
    ready.messages.clear();
    for (auto& local : plan_.local)
      ready.messages.push_back(message_for(local, ready.blob, *ready.digest, ready.trace));
  };
  if (plan_.local.empty()) {
    ready.messages.clear();
  } else if (plan_.local.size() * std::min<std::uint64_t>(ready.blob.size(), kSmall) > kInline) {
    co_await run_on(services_.workers, work_out);
  } else {
    work_out();
  }
}

void IncomingMessage::add_accounts(std::vector<store::AccountId>& accounts) const {
  for (auto& local : plan_.local)
    if (std::ranges::find(accounts, local.account) == accounts.end())
      accounts.push_back(local.account);
}

Result<void> IncomingMessage::put(store::Transaction& tx) {
  if (auth::directory_version(tx) != plan_.directory_version)
    return fail(ErrorCode::Conflict, "the directory has changed");
  auto& ready = *ready_;
  ready.outcomes = plan_.outcomes;
  TRY(auto failed, place(tx, ready.messages, ready.outcomes));
  auto queued = plan_.queued;
  confirm(failed, queued);
  if (!give_back(std::move(failed), queued, ready.outcomes))
    return fail(ErrorCode::Denied, "nobody takes the message any more");
  if (!queued.empty()) {
    auto message = queue_message(ready.blob, ready.passed_on + ready.received);
    if (!has_room(tx, queued, message)) {
      refusal_ = replies::queue_full();
      return fail(ErrorCode::Denied, "the queue is full");
    }
    queue::add(tx, std::move(message), ready.blob, queued);
  }
  if (plan_.reports) reports::take_in(tx, {id_, 0, now_, delivery_.from.to_string()}, ready.blob);
  story::record_arrival(tx, id_, ready.arrived, ready.outcomes);
  for (auto& evaluation : ready.evaluated) reports::record_evaluation(tx, evaluation);
  return {};
}

Task<Result<void>> IncomingMessage::commit(queue::Injector::Also also) {
  if (auto doubt = doubt_about_sender(); !doubt.empty())
    ready_->arrived.findings.push_back(withheld_notices(doubt, delivery_.from.to_string()));
  co_await make_report(to_junk() ? dmarc::DeliveryResult::Spam : dmarc::DeliveryResult::Delivered);
  for (int plans = 0; plans < kMaxPlans; ++plans) {
    CO_TRY_DO(co_await prepare());
    // A report that cannot leave does not keep the message from being accepted.
    if (report_ && !co_await report_->prepare()) report_.reset();
    std::vector<store::AccountId> accounts{store::kInstance};
    add_accounts(accounts);
    if (report_) report_->add_accounts(accounts);
    bool of_report = false;
    auto committed =
        co_await services_.store.transact(accounts, [&](store::Transaction& tx) -> Result<void> {
          of_report = false;
          TRY_DO(put(tx));
          if (report_) {
            of_report = true;
            TRY_DO(report_->put(tx));
            of_report = false;
          }
          if (also) return also(tx);
          return {};
        });
    if (committed) {
      plan_.outcomes = std::move(ready_->outcomes);
      co_return Result<void>{};
    }
    if (committed.error().code == ErrorCode::Conflict) continue;
    if (!of_report) co_return committed;
    report_.reset();
  }
  co_return fail(ErrorCode::Unavailable, "the directory keeps changing");
}

/// The report about this message to the domain that it claims to be from, if that wants one, ready
/// to be put beside it. What was found out about that is told in the message's story.
Task<void> IncomingMessage::make_report(dmarc::DeliveryResult result) {
  report_.reset();
  if (!found_) co_return;
  if (!std::exchange(considered_, true)) {
    wanted_ = co_await surroundings_.failure_reports.consider(
        {*found_, delivery_.peer.endpoint, header_, delivery_.recipients, now_});
    if (wanted_ && ready_)
      std::ranges::copy(wanted_->findings, std::back_inserter(ready_->arrived.findings));
    if (wanted_) log_report(*wanted_);
  }
  if (!wanted_ || wanted_->to.empty()) co_return;
  Delivery delivery;
  delivery.peer.kind = Peer::Kind::Self;
  delivery.peer.with = "REPORT";
  for (auto& address : wanted_->to)
    if (auto to = smtp::parse_mailbox(address)) delivery.recipients.push_back({*to, {}});
  auto report = std::make_unique<IncomingMessage>(surroundings_, std::move(delivery), nullptr);
  co_await report->append(surroundings_.failure_reports.compose(*wanted_, result));
  if (co_await report->ready()) report_ = std::move(report);
}

/// INBOX, or Junk, which is made when it is not there.
Result<mailbox::MailboxInfo> IncomingMessage::find_place(store::Transaction& tx,
                                                         const Plan::Local& local) const {
  auto role = to_junk() ? mailbox::Role::Junk : mailbox::Role::Inbox;
  if (auto found = mailbox::find_role(tx, local.account, role)) return *found;
  if (!to_junk())
    return fail(ErrorCode::Internal, "account {} has no inbox", local.account_address);
  // A mailbox of that name without the role is what its owner meant by it.
  if (auto named = mailbox::find_mailbox(tx, local.account, kJunkName)) return *named;
  auto made = mailbox::create_mailbox(tx, local.account, kJunkName, mailbox::Role::Junk, now_);
  if (made) TRY_DO(mailbox::subscribe_mailbox(tx, local.account, kJunkName, true, now_));
  return made;
}

/// Puts the message into the mailboxes; gives the recipients for whom that cannot be.
Result<std::vector<Plan::Failed>> IncomingMessage::place(
    store::Transaction& tx, const std::vector<mailbox::NewMessage>& messages,
    std::vector<story::RecipientOutcome>& outcomes) const {
  auto failed = plan_.failed;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto& local = plan_.local[i];
    TRY(auto place, find_place(tx, local));
    auto placed = mailbox::deliver(tx, local.account, place.id, messages[i], now_);
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

/// Whether the queue takes what is on its way to others. What is for the sender alone, and mail of
/// our own, is never turned away: it tells of what was accepted before.
bool IncomingMessage::has_room(store::Reader& reader, const std::vector<queue::Entry>& queued,
                               const queue::Message& message) const {
  if (delivery_.peer.kind == Peer::Kind::Self) return true;
  auto leaves = std::ranges::count_if(
      queued, [](auto& entry) { return entry.destination != queue::kNotice; });
  return leaves == 0 ||
         may_queue(reader, settings_, static_cast<std::uint64_t>(leaves), message.size);
}

/// The message is for several, and some cannot have it any more (full, gone since RCPT): they get a
/// queue entry that does nothing but bounce. False: the reply says it, and nothing is accepted.
/// That is when nobody is left, and when somebody would be left out whom no bounce may tell of:
/// what is sent again after that, RCPT refuses for that one alone.
bool IncomingMessage::give_back(std::vector<Plan::Failed> failed, std::vector<queue::Entry>& queued,
                                std::vector<story::RecipientOutcome>& outcomes) {
  auto ours = delivery_.peer.kind == Peer::Kind::Self;
  if (!failed.empty() && failed.size() == outcomes.size() && !ours) {
    refusal_ = failed.front().reply;
    return false;
  }
  refusal_.reset();
  auto may_bounce = !ours && !delivery_.from.is_null() && doubt_about_sender().empty();
  for (auto& [declared, outcome, reply, account] : failed) {
    if (reply.temporary()) {
      // The sender gets no second chance to give it to this one alone.
      reply.code += 100;
      reply.status->klass = 5;
    }
    outcomes[outcome].kind = story::RecipientOutcome::Kind::Refused;
    outcomes[outcome].detail = reply.to_string();
    if (may_bounce) queued.push_back(bounce_entry(delivery_.recipients[declared], reply, now_));
  }
  if (may_bounce || ours) return true;
  for (auto& one : failed) {
    auto& address = outcomes[one.outcome].address;
    // An alias of several has reached the others; a loop was here before, and would be again.
    if (is_loop(one.reply) || std::ranges::any_of(outcomes, [&](auto& outcome) {
          return outcome.address == address &&
                 outcome.kind != story::RecipientOutcome::Kind::Refused;
        }))
      continue;
    refusal_ = replies::would_be_left_out(address);
    return false;
  }
  return true;
}

std::string_view IncomingMessage::doubt_about_sender() const {
  return found_ ? receive::doubt_about_sender(*found_) : std::string_view();
}

/// A notice to a forged sender reaches somebody who never wrote; other servers are asked for none,
/// too.
void IncomingMessage::withhold_notices() {
  plan_.confirmed.clear();
  for (auto& entry : plan_.queued) entry.notify = queue::kNotifyNever;
}

/// NOTIFY=SUCCESS: what is delivered here, or expanded, is told by an entry of its own: it is as
/// durable as the delivery.
void IncomingMessage::confirm(const std::vector<Plan::Failed>& failed,
                              std::vector<queue::Entry>& queued) const {
  if (delivery_.from.is_null()) return;
  for (auto& [declared, notice, account] : plan_.confirmed) {
    auto gone = std::ranges::any_of(failed, [&](auto& one) {
      return one.declared == declared || (account != 0 && one.account == account);
    });
    if (!gone) queued.push_back(confirmation_entry(delivery_.recipients[declared], notice, now_));
  }
}

/// What the sender wants to hear of deliveries (RFC 3461), in the words of the protocol; "" when it
/// said nothing.
std::string IncomingMessage::notice_wishes() const {
  std::string text;
  auto& mail = delivery_.parameters;
  if (mail.ret) text += mail.ret == smtp::Return::Full ? " RET=FULL" : " RET=HDRS";
  if (mail.envid) text += " ENVID=" + smtp::encode_xtext(*mail.envid);
  for (auto& [to, parameters] : delivery_.recipients) {
    if (text.size() > kMaxWishes) break;
    if (!parameters.notify && !parameters.orcpt) continue;
    text += fmt::format(" <{}>", to.to_string());
    if (parameters.notify) text += " NOTIFY=" + smtp::to_string(*parameters.notify);
    if (parameters.orcpt) text += " ORCPT=" + smtp::format_orcpt(*parameters.orcpt, true);
  }
  return text.substr(text.empty() ? 0 : 1);
}

story::Arrival IncomingMessage::arrival() const {
  mime::HeaderView header(header_);
  auto arrival = arrival_of(delivery_.peer);
  arrival.mail_from = delivery_.from.to_string();
  arrival.header_from = mime::first_mailbox(header.value("From")).addr_spec();
  arrival.message_id = header.value("Message-ID");
  arrival.subject = mime::decode_words(header.value("Subject"));
  arrival.size = writer_->size();
  if (auto wishes = notice_wishes(); !wishes.empty())
    arrival.findings.push_back({"dsn", "asked for", std::move(wishes)});
  if (removed_results_ > 0)
    arrival.findings.push_back(
        {"authentication-results", "removed",
         fmt::format("fields={}; claimed={}", removed_results_, settings_.host_name)});
  if (unchecked_loopback()) arrival.findings.push_back({"sender", "unchecked", "client=loopback"});
  if (found_)
    for (auto& finding : story_findings(*found_)) arrival.findings.push_back(std::move(finding));
  return arrival;
}

void IncomingMessage::log_report(const FailureReports::Wanted& wanted) const {
  for (auto& finding : wanted.findings)
    if (finding.result != "sent")
      log_.info("report.unsent", {{"domain", wanted.about}, {"err", finding.reason}});
  if (!wanted.to.empty())
    log_.info("report.send", {{"domain", wanted.about},
                              {"what", "failure"},
                              {"to", fmt::format("{}", fmt::join(wanted.to, ", "))},
                              {"count", wanted.report.incidents}});
}

void IncomingMessage::log_accepted() const {
  log_.info("message.accept", {{"from", delivery_.from.to_string()},
                               {"nrcpt", delivery_.recipients.size()},
                               {"size", writer_->size()},
                               {"ms", (services_.clock.now() - now_).count()}});
}

}  // namespace hikyaku::receive
