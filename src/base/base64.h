// Base64 (RFC 4648 §4) for protocols and keys. The lenient, streaming decoder for MIME bodies is
// mime/transfer.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hikyaku {

/// With padding, on one line.
std::string base64_encode(std::string_view bytes);

/// Strict: the whole text, right padding, nothing else (SASL, SCRAM, keys). nullopt otherwise.
std::optional<std::string> base64_decode(std::string_view text);

/// The URL- and file-name-safe alphabet, without padding (RFC 4648 §5).
std::string base64url_encode(std::string_view bytes);

}  // namespace hikyaku
