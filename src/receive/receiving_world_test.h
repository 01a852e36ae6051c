// A World and ways in. For tests of the receiver.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "receive/receiver.h"
#include "testing/world.h"

namespace hikyaku::receive {

/// A World, and who comes with what.
struct ReceivingWorld : testing::World {
  Peer server() {
    Peer peer;
    peer.kind = Peer::Kind::Server;
    peer.endpoint = {*IpAddress::parse("198.51.100.7"), 40000};
    peer.hello = "mx.beta.test";
    peer.with = "ESMTPS";
    peer.tls = "TLSv1.3 TLS_AES_128_GCM_SHA256";
    return peer;
  }
  Peer user() {
    auto peer = server();
    peer.kind = Peer::Kind::User;
    peer.hello = "laptop";
    peer.with = "ESMTPSA";
    peer.login = auth::Login{anna.id, anna.address, "PLAIN", "password"};
    return peer;
  }
  static smtp::Mailbox mailbox(std::string_view address) {
    return smtp::parse_mailbox(address, {.characters = smtp::Characters::Utf8, .limits = {}})
        .value();
  }
  static smtp::Transaction envelope(std::string_view from,
                                    const std::vector<std::string>& recipients) {
    smtp::Transaction transaction;
    if (!from.empty()) transaction.from.mailbox = mailbox(from);
    for (auto& to : recipients) transaction.recipients.push_back({mailbox(to), {}});
    return transaction;
  }
  smtp::Reply send(const Peer& peer, const smtp::Transaction& transaction, std::string_view message,
                   std::size_t piece = 16 * 1024) {
    auto incoming = receiver->begin(peer, transaction);
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
      loop.run(incoming->append(message.substr(0, piece)));
    last = incoming->id();
    return loop.run(incoming->finish());
  }
  story::MessageId last = 0;
};

inline constexpr std::string_view kMessage =
    "From: <x@beta.test>\r\nTo: anna@alpha.test\r\nSubject: hello\r\n"
    "Message-ID: <m@beta.test>\r\n\r\nbody\r\n";

inline constexpr std::string_view kFromAnna =
    "From: <anna@alpha.test>\r\nSubject: hello\r\n\r\nbody\r\n";

}  // namespace hikyaku::receive
