// Unpack: what a report's attachment contains, whatever it is packed in: gzip (RFC 1952), zip, or
// nothing. Made for hostile input: everything is bounded, nothing is written to disk, no name is
// trusted, an archive in an archive is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hikyaku::dmarc {

enum class Packing : std::uint8_t { Plain, Gzip, Zip };
/// By the first bytes; names and media types lie.
Packing packing_of(std::string_view bytes);

struct UnpackLimits {
  std::size_t packed_bytes = 32 * 1024 * 1024;
  std::size_t bytes = 64 * 1024 * 1024;  ///< unpacked
  std::size_t entries = 1000;            ///< of a zip archive that are looked at
};

/// The content: of a zip archive the one file in it (the first XML file when there are several).
/// TooLarge: more than the limits; Denied: packed twice; Unsupported: encrypted, or a method other
/// than deflate; Invalid: damaged, or nothing in it.
hikyaku::Result<std::string> unpack(std::string_view bytes, const UnpackLimits& limits = {});

}  // namespace hikyaku::dmarc
