// Bounces and delay notices (RFC 3464) made from queue rows and outcomes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/phrase.h"
#include "base/time.h"
#include "dsn/report.h"
#include "queue/injector.h"
#include "queue/queue.h"
#include "transmit/outcome.h"

namespace hikyaku::transmit {

/// What a notice needs beside the outcomes.
struct NoticeContext {
  std::string host_name;
  std::string message_id;  ///< of the notice
  std::string boundary;
  Time now;
  Time expires;  ///< until when a delayed message is tried
  Language language = Language::English;
  std::string original_header;
  std::string
      original;  ///< the whole message, when it is to be returned and is small enough; else empty
};

/// Whether the sender wants to be told of this outcome (null sender, NOTIFY).
bool is_wanted(const queue::Message& message, const queue::Entry& entry, dsn::Action action);

/// The notice about these recipients of one message; nullopt when the sender wants none.
std::optional<queue::Injection> make_notice(const queue::Message& message,
                                            const std::vector<Outcome>& outcomes,
                                            const NoticeContext& context);

}  // namespace hikyaku::transmit
