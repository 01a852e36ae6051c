// The bytes of a message row.
#pragma once

#include <string>
#include <string_view>

#include "mailbox/messages.h"

namespace hikyaku::mailbox {

std::string encode(const MessageRecord& record);
/// False for bytes that encode() does not write. Reuses the strings of `record`.
bool decode(std::string_view bytes, MessageRecord& record);

}  // namespace hikyaku::mailbox
