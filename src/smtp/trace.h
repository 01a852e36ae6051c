// Finding out from a message's own header that it goes round in a circle (RFC 5321 §6.3).
#pragma once

#include <cstddef>
#include <string_view>

#include "smtp/path.h"

namespace hikyaku::smtp {

/// A message with more Received fields than this is taken for one in a loop. RFC 5321 §6.3: "at
/// least 100".
inline constexpr std::size_t kMaxReceived = 100;

/// The number of Received fields at the front of a message, up to the empty line or the end. Lines
/// may end in LF.
std::size_t count_received(std::string_view message);

/// A Delivered-To field names this mailbox: it was here before (RFC 9228).
bool was_delivered_to(std::string_view message, const Mailbox& mailbox);

}  // namespace hikyaku::smtp
