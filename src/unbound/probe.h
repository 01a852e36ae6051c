// Whether a DNS server is there at all.
#pragma once

#include <chrono>

#include "base/ip.h"

namespace hikyaku::unbound {

/// Sends it a question, and once more after half of `patience`; true if anything that looks like an
/// answer comes back, be it an error. Blocks this thread for at most `patience`: for one-shot
/// commands.
bool answers(const Endpoint& server, std::chrono::milliseconds patience);

}  // namespace hikyaku::unbound
