// Who holds a port that we wanted. Linux only (/proc). Private to net/.
#pragma once

#include <string>

#include "base/ip.h"

namespace hikyaku::net {

/// "master, process 812" for the process that listens on `endpoint` (or on all addresses at its
/// port); "" when that cannot be seen: other users' processes show themselves only to root.
std::string port_holder(const Endpoint& endpoint);

}  // namespace hikyaku::net
