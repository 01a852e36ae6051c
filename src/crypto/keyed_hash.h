// One fast keyed hash: for secrets that are random enough not to be guessed (app passwords, tokens)
// and for values that must look random to everybody but us (the salts of users who do not exist).
#pragma once

#include <string>
#include <string_view>

#include "crypto/master_key.h"

namespace hikyaku::crypto {

/// 32 bytes of BLAKE2b under the key that `master` has for `purpose` (a fixed text such as
/// "app-password"). Costs about a microsecond: never for passwords that people choose.
std::string keyed_hash(const MasterKey& master, std::string_view purpose, std::string_view bytes);

}  // namespace hikyaku::crypto
