// The mail about entries that are held because the server ended three times while it was sending
// them, or cannot read them any more.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/phrase.h"
#include "base/time.h"
#include "queue/injector.h"
#include "queue/queue.h"
#include "story/story.h"

namespace hikyaku::transmit {

struct HeldNotice {
  queue::Message message;
  std::vector<queue::Entry> entries;  ///< of it, at least one
  story::Arrival arrival;  ///< what the story knows of it: subject and Message-ID, or nothing
  std::string to;          ///< the sender or postmaster
  bool to_sender = true;
  Language language = Language::English;  ///< Japanese: both, Japanese first
  std::string host_name;
  std::string unique;  ///< random, for its Message-ID
  Time now;
};

/// Whether the sender of the message is told (it has one, and wants to hear of delays or failures
/// of one of these entries); otherwise it is for postmaster.
bool is_for_sender(const queue::Message& message, const std::vector<queue::Entry>& entries);

/// What happened, and what can be done. Made from queue and story alone: whatever in the message
/// brings the server down is not looked at.
queue::Injection make_held_notice(const HeldNotice& notice);

}  // namespace hikyaku::transmit
