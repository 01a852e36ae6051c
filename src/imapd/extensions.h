// What this server offers beyond the base. Private to imapd/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::imapd {

/// Offered after login, as in the IANA registry.
const std::vector<std::string>& extensions();

/// The object ids of RFC 8474: a letter for the kind, and our number.
inline std::string mailbox_object_id(std::uint32_t mailbox) {
  return "m" + std::to_string(mailbox);
}
inline std::string email_object_id(std::uint64_t email) {
  return "e" + std::to_string(email);
}
inline std::string thread_object_id(std::uint64_t thread) {
  return thread == 0 ? std::string() : "t" + std::to_string(thread);
}

}  // namespace hikyaku::imapd
