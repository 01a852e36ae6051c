// What became of one recipient in one attempt.
#pragma once

#include <string>
#include <vector>

#include "dsn/report.h"
#include "queue/queue.h"
#include "smtp/reply.h"
#include "story/story.h"

namespace hikyaku::transmit {

struct Outcome {
  enum class Kind {
    Delivered,  ///< the other server is responsible now
    Deferred,   ///< to be tried again
    Failed,     ///< for good
    Confirmed,  ///< done long since; the sender is to be told entry.notice
    Held,       ///< it cannot be sent as it is (`words`): somebody has to look
    Abandoned,  ///< it did not come to an attempt (shutdown)
  };
  queue::Entry entry;
  Kind kind = Kind::Deferred;
  smtp::EnhancedStatus status;
  std::string host;  ///< the server that answered; empty if none did
  std::string endpoint;
  std::string tls;
  std::string words;                         ///< its reply, or what went wrong before it spoke
  bool relayed = false;                      ///< Delivered to a server without the DSN extension
  dsn::Action action = dsn::Action::Failed;  ///< in a notice about it
  std::vector<story::Finding> findings;
};

}  // namespace hikyaku::transmit
