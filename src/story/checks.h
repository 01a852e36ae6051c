// The checks of a sender in words: receive/ keeps what it found as "key=value; key=value", and here
// it becomes a sentence in the reader's language. Private to story/.
#pragma once

#include <optional>
#include <string>

#include "base/phrase.h"
#include "story/story.h"

namespace hikyaku::story {

/// nullopt for findings of other kinds.
std::optional<std::string> tell_check(const Finding& finding, Language language);

/// "check: result".
std::string label_of(const Finding& finding, Language language);

}  // namespace hikyaku::story
