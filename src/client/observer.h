// Observer: who looks on while a client talks.
#pragma once

#include <functional>
#include <string_view>

namespace hikyaku::client {

/// Sees the dialogue as it goes over the wire: every line without CRLF. Message data is not shown.
using Observer = std::function<void(bool by_client, std::string_view line)>;

}  // namespace hikyaku::client
