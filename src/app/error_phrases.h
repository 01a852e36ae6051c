// What errors say, in the reader's language. They are worked out in English, where they happen:
// often in the server, which does not know who reads them.
#pragma once

#include <string>

#include "base/phrase.h"
#include "base/result.h"

namespace hikyaku::app {

/// The error's whole text, as far as it is known in `language`.
std::string error_in(const Error& error, Language language);

}  // namespace hikyaku::app
