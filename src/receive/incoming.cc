#include "receive/incoming.h"

#include <fmt/core.h>
#include <utility>

#include "auth/directory.h"
#include "base/text.h"
#include "mime/header.h"
#include "receive/arrival.h"
#include "receive/refusals.h"
#include "receive/refused_forms.h"
#include "receive/submission_header.h"
#include "smtp/replies.h"

namespace hikyaku::receive {
namespace {

namespace replies = smtp::replies;

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

}  // namespace

IncomingMessage::IncomingMessage(const Surroundings& surroundings, Delivery delivery,
                                 std::unique_ptr<Authentication> authentication)
    : surroundings_(surroundings),
      settings_(surroundings.settings),
      delivery_(number(std::move(delivery), surroundings)),
      authentication_(std::move(authentication)),
      bytes_(surroundings, delivery_, authentication_.get()),
      accepting_(surroundings, delivery_, bytes_) {}

IncomingMessage::~IncomingMessage() = default;

std::size_t IncomingMessage::memory() const {
  return bytes_.memory() + (authentication_ ? authentication_->memory() : 0);
}

Task<smtp::Reply> IncomingMessage::finish() {
  auto reply = co_await decide();
  // What another server is to send again is told too when it is about who sent it.
  auto& found = delivery_.found;
  if (reply.permanent() || (found && found->disposition.action == dmarc::Action::Defer))
    co_await remember_refusal(reply);
  co_return reply;
}

Task<smtp::Reply> IncomingMessage::decide() {
  if (auto whole = co_await bytes_.end(); !whole) co_return reply_for(whole.error());
  if (auto refusal = check_header()) co_return *refusal;
  if (auto refusal = co_await check_authors()) co_return *refusal;
  if (auto refusal = co_await check_sender()) co_return *refusal;
  auto accepted = co_await accept({});
  if (accepting_.refusal()) co_return *accepting_.refusal();
  if (!accepted) {
    delivery_.log.warn("message.failed", {{"err", accepted.error().describe()}});
    co_return reply_for(accepted.error());
  }
  log_accepted();
  co_return replies::accepted(story::to_text(delivery_.id));
}

std::optional<smtp::Reply> IncomingMessage::check_header() const {
  auto refused =
      refusal_of_header({bytes_.header(), bytes_.header_too_long(), bytes_.header_folded()},
                        {settings_.max_header, settings_.max_received});
  if (refused) return std::move(refused)->reply;
  return std::nullopt;
}

Task<std::optional<smtp::Reply>> IncomingMessage::check_authors() {
  if (delivery_.peer.kind != Peer::Kind::User) co_return std::nullopt;
  auto claimed = claimed_authors(bytes_.header());
  auto& addresses = claimed.addresses;
  if (claimed.problem) {
    co_return smtp::Reply{550, smtp::EnhancedStatus{5, 6, 0},
                          fmt::format("It is not clear who the message is from: {}",
                                      dmarc::explain(*claimed.problem).in(Language::English))};
  }
  if (addresses.empty()) {
    // What no parser of ours takes for an address, another program may still show as one.
    co_return smtp::Reply{550, smtp::EnhancedStatus{5, 6, 0},
                          "The From field holds no address; write it as Name <user@example.org>"};
  }
  auto account = delivery_.peer.login->account;
  auto& resolver = surroundings_.resolver;
  auto foreign = co_await surroundings_.services.store.read(
      [&](store::Reader& reader) -> std::optional<std::string> {
        for (auto& address : addresses) {
          if (!resolver.may_send_as(reader, account, address)) return address;
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
  delivery_.found = co_await authentication_->finish();
  auto& found = *delivery_.found;
  delivery_.peer.reverse_name = found.reverse_name.name;
  auto text = [&] { return dmarc::reply_text(found.disposition, found.dmarc); };
  if (found.disposition.action == dmarc::Action::Refuse)
    co_return smtp::Reply{550, smtp::EnhancedStatus{5, 7, 1}, text()};
  if (found.disposition.action == dmarc::Action::Defer)
    co_return smtp::Reply{451, smtp::EnhancedStatus{4, 7, 0}, text()};
  co_return std::nullopt;
}

Task<Result<void>> IncomingMessage::accept(queue::Injector::Also also) {
  CO_TRY_DO(co_await accepting_.begin());
  co_await make_report(delivery_.to_junk() ? dmarc::DeliveryResult::Spam
                                           : dmarc::DeliveryResult::Delivered);
  Together all{.message = &accepting_, .report = report_.get(), .also = std::move(also)};
  co_return co_await commit(surroundings_.services.store, std::move(all), delivery_.log);
}

/// The report about this message to the domain that it claims to be from, if that wants one, ready
/// to be put beside it.
Task<void> IncomingMessage::make_report(dmarc::DeliveryResult result) {
  if (!std::exchange(considered_, true))
    report_ = co_await ReportBeside::consider(surroundings_, delivery_, bytes_.header());
  if (report_) co_await report_->write(result);
}

Task<void> IncomingMessage::remember_refusal(const smtp::Reply& reply) {
  std::vector<Refused> refused;
  for (auto& recipient : delivery_.recipients) refused.push_back({recipient.to.to_string(), reply});
  BesideRefusal beside;
  if (reply.permanent()) {
    beside.evaluations =
        co_await evaluations_of(settings_, surroundings_.services.store, delivery_);
    co_await make_report(dmarc::DeliveryResult::Reject);
    beside.report = report_.get();
  }
  co_await surroundings_.refusals.remember(delivery_.id, arrival_of(delivery_, bytes_, settings_),
                                           std::move(refused), delivery_.log, std::move(beside));
}

void IncomingMessage::log_accepted() const {
  auto took = surroundings_.services.clock.now() - delivery_.began;
  delivery_.log.info("message.accept", {{"from", delivery_.from.to_string()},
                                        {"nrcpt", delivery_.recipients.size()},
                                        {"size", bytes_.size()},
                                        {"ms", took.count()}});
}

}  // namespace hikyaku::receive
