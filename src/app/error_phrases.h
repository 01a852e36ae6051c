// What errors say, in the reader's language. They are worked out in English, where they happen:
// often in the server, which does not know who reads them.
#pragma once

#include <string>
#include <string_view>

#include "base/phrase.h"
#include "base/result.h"

namespace hikyaku::app {

/// A text that was worked out in English, as far as it is known in `language`, line by line.
std::string told_in(std::string_view text, Language language);
/// What verify_store() and check_mail() say: it may begin with an account's name.
std::string finding_in(std::string_view text, Language language);

/// The error's whole text, and what to do where that is known.
std::string error_in(const Error& error, Language language);

}  // namespace hikyaku::app
