// Connected sockets from one process to another.
#pragma once

#include "base/result.h"
#include "net/fd.h"

namespace hikyaku::net {

/// Gives a copy of `passed` to the process at the other end of `channel`, which is one of a pair of
/// SOCK_SEQPACKET. Does not wait. Unavailable: nobody is there, or takes it.
Result<void> send_socket(int channel, const UniqueFd& passed);

/// Waits for the next one that comes over `channel`. Empty: the other end has gone.
UniqueFd receive_socket(int channel);

}  // namespace hikyaku::net
