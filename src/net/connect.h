// Connecting to others.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/ip.h"
#include "base/result.h"
#include "base/task.h"
#include "net/fd.h"
#include "net/stream.h"

namespace hikyaku::net {

/// Connects from the loop it is awaited on (one of Cores), from the address `from` if given.
/// Unavailable with the reason in words: refused, no answer within `timeout`, no route. Invalid
/// when `from` is no address of this machine.
Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, std::optional<IpAddress> from,
                                              std::chrono::milliseconds timeout);

/// Somebody listens at `path`, and its queue of connections is full: Conflict.
Error takes_no_more(const std::string& path);

/// Connects to a Unix-domain socket. NotFound when nothing is there, Unavailable when nobody
/// listens, Denied without the right to, Conflict when somebody does but its queue is full.
Task<Result<std::unique_ptr<Stream>>> connect_unix(std::string path,
                                                   std::chrono::milliseconds timeout);

/// A stream on the loop that asks, and its other end, which is for another process (blocking,
/// close-on-exec).
Result<std::pair<std::unique_ptr<Stream>, UniqueFd>> stream_to_process();

/// A stream on the loop that asks, of a connected socket that another process has given.
Result<std::unique_ptr<Stream>> stream_of(UniqueFd socket);

/// Two streams of this process, connected to each other, both on the loop that asks.
Result<std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>>> connected_pair();

}  // namespace hikyaku::net
