// Finding out from a message's own header that it goes round in a circle (RFC 5321 §6.3).
#pragma once

#include <cstddef>
#include <string_view>

namespace hikyaku::smtp {

/// The number of Received fields at the front of a message, up to the empty line or the end. Lines
/// may end in LF. More than about 100 mean a loop (§6.3).
std::size_t count_received(std::string_view message);

}  // namespace hikyaku::smtp
