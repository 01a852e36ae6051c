#include "receive/arrival.h"

#include <algorithm>
#include <fmt/core.h>

#include "mime/address.h"
#include "mime/encoded_word.h"
#include "mime/header.h"
#include "receive/plan.h"
#include "receive/sender_findings.h"
#include "smtp/parameters.h"
#include "smtp/received.h"

namespace hikyaku::receive {
namespace {

/// The story keeps about so much of what the sender said about notices.
constexpr std::size_t kMaxWishes = 300;

/// What the sender wants to hear of deliveries (RFC 3461), in the words of the protocol; "" when it
/// said nothing.
std::string notice_wishes(const Delivery& delivery) {
  std::string text;
  auto& mail = delivery.parameters;
  if (mail.ret) text += mail.ret == smtp::Return::Full ? " RET=FULL" : " RET=HDRS";
  if (mail.envid) text += " ENVID=" + smtp::encode_xtext(*mail.envid);
  for (auto& [to, parameters] : delivery.recipients) {
    if (text.size() > kMaxWishes) break;
    if (!parameters.notify && !parameters.orcpt) continue;
    text += fmt::format(" <{}>", to.to_string());
    if (parameters.notify) text += " NOTIFY=" + smtp::to_string(*parameters.notify);
    if (parameters.orcpt) text += " ORCPT=" + smtp::format_orcpt(*parameters.orcpt, true);
  }
  return text.substr(text.empty() ? 0 : 1);
}

}  // namespace

story::Arrival arrival_of(const Peer& peer) {
  story::Arrival arrival;
  arrival.protocol = peer.with;
  if (peer.kind == Peer::Kind::Server || peer.kind == Peer::Kind::User)
    arrival.peer = peer.endpoint.to_string();
  arrival.peer_name = peer.reverse_name;
  arrival.helo = peer.hello;
  arrival.tls = peer.tls;
  if (peer.login)
    arrival.login = fmt::format("{} ({})", peer.login->address, peer.login->mechanism);
  if (peer.kind == Peer::Kind::Program) arrival.login = peer.program;
  return arrival;
}

story::Arrival arrival_of(const Delivery& delivery, const MessageBytes& bytes,
                          const Settings& settings) {
  mime::HeaderView header(bytes.header());
  auto arrival = arrival_of(delivery.peer);
  arrival.mail_from = delivery.from.to_string();
  arrival.header_from = mime::first_mailbox(header.value("From")).addr_spec();
  arrival.message_id = header.value("Message-ID");
  arrival.subject = mime::decode_words(header.value("Subject"));
  arrival.size = bytes.size();
  auto& findings = arrival.findings;
  if (auto wishes = notice_wishes(delivery); !wishes.empty())
    findings.push_back({"dsn", "asked for", std::move(wishes)});
  if (bytes.removed_results() > 0)
    findings.push_back(
        {"authentication-results", "removed",
         fmt::format("fields={}; claimed={}", bytes.removed_results(), settings.host_name)});
  if (bytes.removed_paths() > 0)
    findings.push_back({"return-path", "removed", fmt::format("fields={}", bytes.removed_paths())});
  if (delivery.unchecked) findings.push_back({"sender", "unchecked", "client=loopback"});
  if (delivery.found)
    for (auto& finding : story_findings(*delivery.found)) findings.push_back(std::move(finding));
  return arrival;
}

Task<std::vector<reports::Evaluation>> evaluations_of(const Settings& settings, store::Store& store,
                                                      const Delivery& delivery) {
  if (!delivery.found) co_return {};
  auto& found = *delivery.found;
  auto to_reports = co_await store.read([&](store::Reader& reader) {
    return std::ranges::count_if(delivery.recipients, [&](const smtp::Recipient& recipient) {
      return is_report_address(reader, recipient.to.to_string(), settings.report_address);
    });
  });
  // A report may name others of us, too. But who forges mail must not keep it out of the reports by
  // one recipient more.
  auto all = to_reports == std::ssize(delivery.recipients);
  if (all || (to_reports > 0 && found.dmarc.result == dmarc::Result::Pass)) co_return {};
  co_return reports::evaluations_of(found.dmarc, {&found.spf_mail_from, &found.signatures},
                                    found.disposition, {found.client, delivery.from.to_string()},
                                    delivery.began);
}

std::string received_field(const Delivery& delivery, const Settings& settings) {
  auto& peer = delivery.peer;
  smtp::ReceivedField field;
  field.hello = peer.hello;
  field.reverse_name = peer.reverse_name;
  auto is_users = peer.kind == Peer::Kind::User;
  if (peer.kind == Peer::Kind::Server || (is_users && !settings.hide_client_address))
    field.from = peer.endpoint.address;
  field.by = settings.host_name;
  field.with = peer.with;
  field.tls = peer.tls;
  field.id = story::to_text(delivery.id);
  if (delivery.recipients.size() == 1) field.recipient = delivery.recipients.front().to;
  field.utf8 = delivery.parameters.smtputf8;
  field.when = delivery.began;
  return smtp::format_received(field);
}

std::string results_field(const Delivery& delivery, const Settings& settings) {
  if (delivery.found) return authentication_results_field(*delivery.found, settings.host_name);
  if (delivery.peer.kind == Peer::Kind::User)
    return submitted_results_field(*delivery.peer.login, settings.host_name);
  if (delivery.unchecked) return unchecked_results_field(settings.host_name);
  return {};
}

}  // namespace hikyaku::receive
