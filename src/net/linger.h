// Ending a connection so that the last reply arrives.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/task.h"
#include "net/stream.h"

namespace hikyaku::net {

/// finish(), then reads and drops what the peer still sends, at most `limit` bytes for at most
/// `time`, then close(). Closing with unread bytes would reset the connection, and the peer would
/// lose our last words (421, BYE) with it. Never throws; works after shut_down() too, where it only
/// finishes and closes.
Task<void> linger(Stream& stream, std::size_t limit = 256 * 1024,
                  std::chrono::milliseconds time = std::chrono::seconds(2));

}  // namespace hikyaku::net
