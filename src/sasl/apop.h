// Challenge and digest of POP3's APOP (RFC 1939 §7) and of CRAM-MD5 (RFC 2195): the client proves
// that it knows a password which the server has in clear.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/secret.h"

namespace hikyaku::sasl {

/// "<nonce@host>": the challenge, in the form of a Message-ID. `nonce` is fresh for every session.
std::string make_timestamp(std::string_view nonce, std::string_view host);

/// MD5 of the timestamp (with its angle brackets) and the password: 32 small hexadecimal digits.
std::string apop_digest(std::string_view timestamp, const crypto::Secret& password);

/// The place of the password that `digest` was made with, if any. Takes its time for the whole
/// list, and for an empty one (a name that does not exist) as for a list of one.
std::optional<std::size_t> check_apop(std::string_view timestamp, std::string_view digest,
                                      std::span<const crypto::Secret> passwords);

/// The same for CRAM-MD5: keyed MD5 of the challenge under the password.
std::string cram_md5_digest(std::string_view challenge, const crypto::Secret& password);
std::optional<std::size_t> check_cram_md5(std::string_view challenge, std::string_view digest,
                                          std::span<const crypto::Secret> passwords);

}  // namespace hikyaku::sasl
