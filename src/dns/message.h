// What a whole DNS message says beyond the records of its answer.
#pragma once

#include <string_view>

namespace hikyaku::dns {

/// Whether `message` (wire form, RFC 1035 §4.1) only names other servers: no error, no answer but
/// aliases, and in the authority section NS without SOA (RFC 2308 §2.2). Who asked for recursion
/// has learnt nothing by it, least of all that there is no record. False for what is no message.
bool is_referral(std::string_view message);

}  // namespace hikyaku::dns
