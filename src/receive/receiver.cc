#include "receive/receiver.h"

#include <algorithm>
#include <fmt/core.h>

#include "auth/directory.h"
#include "base/text.h"
#include "mailbox/mailboxes.h"
#include "receive/arrival.h"
#include "receive/failure_reports.h"
#include "receive/incoming.h"
#include "receive/plan.h"
#include "receive/refusals.h"
#include "smtp/replies.h"

namespace hikyaku::receive {
namespace {

namespace replies = smtp::replies;

class ReceiverService final : public Receiver {
 public:
  ReceiverService(Settings settings, Services services, Log log)
      : settings_(std::move(settings)),
        services_(services),
        log_(std::move(log)),
        resolver_(settings_.recipient_delimiters),
        refusals_(services, settings_.max_refusals_per_minute),
        failure_reports_(settings_, services) {}

  std::shared_ptr<Client> meet(IpAddress address) override {
    if (!checks_senders()) return nullptr;
    if (address.is_loopback() && !settings_.authentication.loopback) return nullptr;
    return std::make_shared<Client>(settings_.authentication, authentication_services(), address);
  }

  Task<std::optional<smtp::Reply>> check_sender(const Peer& peer,
                                                const smtp::ReversePath& from) override {
    if (peer.kind == Peer::Kind::Server && peer.client)
      peer.client->begins_mail(peer.hello, from.to_string());
    // The null sender is how mail clients send read receipts (RFC 8098 §3).
    if (peer.kind != Peer::Kind::User || from.is_null()) co_return std::nullopt;
    auto address = from.to_string();
    auto account = peer.login->account;
    auto allowed = co_await services_.store.read(
        [&](store::Reader& reader) { return resolver_.may_send_as(reader, account, address); });
    if (allowed) co_return std::nullopt;
    co_return smtp::Reply{
        553, smtp::EnhancedStatus{5, 7, 1},
        fmt::format("You are {} and may not send as {}", peer.login->address, address)};
  }

  Task<std::optional<smtp::Reply>> check_recipient(const Peer& peer, const smtp::Mailbox& to,
                                                   std::uint64_t declared_size) override {
    auto address = to.to_string();
    auto trusted = peer.kind != Peer::Kind::Server;
    // Who seems unknown may be one of ours.
    if (services_.store.is_behind()) co_return replies::mailboxes_unavailable();
    co_return co_await services_.store.read(
        [&](store::Reader& reader) -> std::optional<smtp::Reply> {
          if (is_report_address(reader, address, settings_.report_address)) return std::nullopt;
          auto found = resolver_.resolve(reader, address);
          auto& resolution = *found;
          switch (resolution.kind) {
            case auth::Resolution::Kind::Foreign:
              if (!trusted) return replies::relaying_denied();
              if (!may_queue(reader, settings_, 1, declared_size)) return replies::queue_full();
              return std::nullopt;
            case auth::Resolution::Kind::Unknown:
              return replies::unknown_recipient(address);
            case auth::Resolution::Kind::Disabled:
              return account_disabled(address);
            case auth::Resolution::Kind::Local:
              break;
          }
          if (!resolution.remote.empty() &&
              !may_queue(reader, settings_, resolution.remote.size(), declared_size))
            return replies::queue_full();
          // One full mailbox does not keep the others behind an alias from their mail.
          auto has_room = std::ranges::any_of(resolution.accounts, [&](auto& target) {
            auto usage = mailbox::usage(reader, target.account);
            return usage.quota == 0 ||
                   (usage.bytes < usage.quota && declared_size <= usage.quota - usage.bytes);
          });
          if (has_room || !resolution.remote.empty()) return std::nullopt;
          return replies::mailbox_full(address);
        });
  }

  std::unique_ptr<Incoming> begin(const Peer& peer, const smtp::Transaction& declared) override {
    Delivery delivery;
    delivery.peer = peer;
    delivery.from = declared.from;
    delivery.parameters = declared.parameters;
    delivery.recipients = declared.recipients;
    return message(std::move(delivery));
  }

  Task<void> refused(const Peer& peer, std::string from, std::vector<Refused> recipients) override {
    auto id = story::make_message_id(services_.clock.now(), services_.random.below(1u << 22));
    auto arrival = arrival_of(peer);
    arrival.mail_from = std::move(from);
    co_await refusals_.remember(id, std::move(arrival), std::move(recipients),
                                peer.log.value_or(log_).with({{"mid", story::to_text(id)}}));
  }

  Task<Result<void>> inject(queue::Injection injection, Also also) override {
    Delivery delivery;
    delivery.peer.kind = Peer::Kind::Self;
    delivery.peer.with = injection.protocol;
    if (!injection.mail_from.empty()) {
      CO_TRY(delivery.from.mailbox, smtp::parse_mailbox(injection.mail_from, kAnyAddress));
    }
    for (auto& recipient : injection.recipients) {
      CO_TRY(auto to, smtp::parse_mailbox(recipient, kAnyAddress));
      delivery.parameters.smtputf8 |= to.needs_utf8();
      delivery.recipients.push_back({std::move(to), {}});
    }
    // A report returns what it is about as it is.
    if (!is_ascii(injection.message)) delivery.parameters.body = smtp::Body::EightBitMime;
    auto incoming = message(std::move(delivery));
    co_await incoming->append(injection.message);
    co_return co_await incoming->accept(std::move(also));
  }

 private:
  static constexpr smtp::PathRules kAnyAddress{.characters = smtp::Characters::Utf8,
                                               .limits = smtp::kReversePathLimits};

  bool checks_senders() const { return services_.dns && settings_.authentication.enabled; }
  AuthenticationServices authentication_services() {
    return {*services_.dns, services_.clock, services_.workers, &keys_};
  }

  std::unique_ptr<IncomingMessage> message(Delivery delivery) {
    std::unique_ptr<Authentication> authentication;
    auto& peer = delivery.peer;
    if (peer.kind == Peer::Kind::Server && checks_senders()) {
      if (peer.client)
        authentication = std::make_unique<Authentication>(settings_.authentication,
                                                          authentication_services(), peer.client);
      else
        delivery.unchecked = peer.endpoint.address.is_loopback();
    }
    return std::make_unique<IncomingMessage>(surroundings_, std::move(delivery),
                                             std::move(authentication));
  }

  Settings settings_;
  Services services_;
  Log log_;
  auth::CachedResolver resolver_;
  Refusals refusals_;
  FailureReports failure_reports_;
  Surroundings surroundings_{settings_, services_, resolver_, refusals_, failure_reports_, log_};
  dkim::KeyCache keys_;
};

}  // namespace

std::unique_ptr<Receiver> make_receiver(Settings settings, Services services, Log log) {
  return std::make_unique<ReceiverService>(std::move(settings), services, std::move(log));
}

}  // namespace hikyaku::receive
