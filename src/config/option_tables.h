// The parts of the table of options, a file each (options_PART.cc), in the order in which they are
// shown.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "config/options.h"

namespace hikyaku::config {

// What several parts use.
inline constexpr std::int64_t kSecond = 1000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kDay = 24 * kHour;
inline constexpr std::string_view kMechanisms[] = {"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1",
                                                   "CRAM-MD5"};
inline constexpr std::string_view kAllMechanisms =
    R"(["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"])";
inline constexpr std::string_view kMechanismsWhy =
    "under TLS these two work with every client, and passwords can be stored as Argon2id alone";

std::span<const Option> server_options();          ///< server, listen, tls, login
std::span<const Option> smtp_options();            ///< smtp
std::span<const Option> authentication_options();  ///< auth, spf, dkim, arc, dmarc
std::span<const Option> transfer_options();        ///< submission, delivery, queue, transmit, dns
std::span<const Option> mailbox_options();         ///< imap, pop3, store, limits, log

}  // namespace hikyaku::config
