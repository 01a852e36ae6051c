// One message on its way in, as far as it is known. Private to receive/.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "auth/resolution.h"
#include "base/log.h"
#include "receive/authentication.h"
#include "receive/receiver.h"

namespace hikyaku::receive {

class FailureReports;
class Refusals;

/// What all messages share; outlives them.
struct Surroundings {
  const Settings& settings;
  Services services;
  auth::CachedResolver& resolver;
  Refusals& refusals;
  FailureReports& failure_reports;
  Log log;
};

/// The envelope, who brought it, and what was found out about that.
struct Delivery {
  Peer peer;
  smtp::ReversePath from;
  smtp::MailParameters parameters;
  std::vector<smtp::Recipient> recipients;
  bool unchecked = false;  ///< the client is on this machine, where nothing is asked about senders
  // What number() gives it.
  story::MessageId id = 0;
  Time began{};  ///< when its data began
  Log log = {};  ///< tells the id
  // Known once all of it has come.
  std::optional<SenderFindings> found = std::nullopt;  ///< nullopt: nothing was asked

  bool submitted() const {
    return peer.kind == Peer::Kind::User || peer.kind == Peer::Kind::Program;
  }
  bool is_ours() const { return peer.kind == Peer::Kind::Self; }
  bool to_junk() const { return found && found->disposition.action == dmarc::Action::Junk; }
  /// Which check says that the envelope's sender is probably another one; empty: none.
  std::string_view doubt_about_sender() const;
};

/// The message begins now.
Delivery number(Delivery delivery, const Surroundings& surroundings);

}  // namespace hikyaku::receive
