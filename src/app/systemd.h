// What systemd is told about the server.
#pragma once

#include <string_view>

namespace hikyaku::app {

/// Tells systemd how we are, "READY=1" (sd_notify(3)); nothing without NOTIFY_SOCKET.
void notify_systemd(std::string_view state);

/// "WATCHDOG=1": that we are not stuck. Does not wait for a systemd that does not listen, for then
/// we would be.
void notify_watchdog();

}  // namespace hikyaku::app
