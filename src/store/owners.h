// Looking at who owns a body: for checks.
#pragma once

#include <string_view>

#include "store/store.h"

namespace hikyaku::store {

/// Whether `owner` is an owner of the body. False everywhere in a key space in memory, which keeps
/// owners elsewhere.
bool is_owner(Reader& reader, BlobId blob, std::string_view owner);

}  // namespace hikyaku::store
