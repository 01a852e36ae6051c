// Finding out from a message's own header that it goes round in a circle (RFC 5321 §6.3).
#pragma once

#include <cstddef>
#include <string_view>

#include "smtp/path.h"

namespace hikyaku::smtp {

/// The number of Received fields at the front of a message, up to the empty line or the end. Lines
/// may end in LF. More than about 100 mean a loop (§6.3).
std::size_t count_received(std::string_view message);

/// A Delivered-To field names this mailbox: it was here before (RFC 9228).
bool was_delivered_to(std::string_view message, const Mailbox& mailbox);

}  // namespace hikyaku::smtp
