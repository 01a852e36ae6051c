// Looking at who owns a body: for checks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace hikyaku::store {

/// Whether `owner` is an owner of the body. False everywhere in a key space in memory, which keeps
/// owners elsewhere.
bool is_owner(Reader& reader, BlobId blob, std::string_view owner);

/// The keys of a body's owners, `most` of them.
std::vector<std::string> owners_of(Reader& reader, BlobId blob, std::size_t most);

/// The highest account that owns a body; 0: none does. Reads the rows of all bodies.
AccountId highest_owner(Reader& reader);

}  // namespace hikyaku::store
