// The written form of an Overlay: our own operation list, the part of a journal record from which
// the index is built. docs/storage.md has it byte by byte.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/overlay.h"

namespace hikyaku::store {

std::string encode_operations(const Overlay& writes);

/// Reads a list back. Corrupt names the operation that makes no sense.
Result<Overlay> decode_operations(std::string_view bytes);

}  // namespace hikyaku::store
