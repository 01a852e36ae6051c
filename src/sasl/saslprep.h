// SASLprep (RFC 4013): one written form for user names and passwords before they are compared.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"

namespace hikyaku::sasl {

/// Characters that Unicode 3.2 does not know are refused in what is stored and let through in what
/// is compared with it (RFC 3454 §7).
enum class Prepared { Stored, Query };

/// The longest text that is prepared, in bytes.
constexpr std::size_t kMaxPrepared = 4096;

/// `text` prepared. Invalid when it is not UTF-8, contains prohibited characters (control
/// characters among them) or mixes directions (RFC 3454 §6), or when nothing is left; TooLarge
/// above kMaxPrepared.
Result<std::string> saslprep(std::string_view text, Prepared as);

/// A password prepared for a hash of our own, when it is set and when it is checked: SASLprep as a
/// query, so that any character may be used; a password that cannot be prepared (Latin-1, control
/// characters) stays as it is. RFC 4616 §2 would refuse those, but people moved here with them.
crypto::Secret prepare_password(const crypto::Secret& password);

}  // namespace hikyaku::sasl
