// What systemd is told about the server.
#pragma once

#include <string_view>

namespace hikyaku::app {

/// Tells systemd how we are, "READY=1" (sd_notify(3)); nothing without NOTIFY_SOCKET.
void notify_systemd(std::string_view state);

}  // namespace hikyaku::app
