// Which recipients of the queue somebody means who holds, releases, retries or drops them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "queue/queue.h"

namespace hikyaku::app {

/// "ID" (all recipients of a message), "ID.N" (one of them), an address, "@DOMAIN", or "all".
class QueueSelection {
 public:
  /// Invalid.
  static Result<QueueSelection> parse(std::string_view text);

  bool matches(const queue::Entry& entry) const;
  /// What matches comes behind this message.
  queue::MessageId after() const { return message_ ? *message_ - 1 : 0; }

 private:
  std::optional<queue::MessageId> message_;
  std::optional<std::uint32_t> number_;
  std::string address_;  ///< as compared
  std::string domain_;   ///< "@domain" as compared
};

}  // namespace hikyaku::app
