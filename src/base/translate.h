// Reasons that were worked out, and perhaps stored, in English, told in another language: each
// sentence is found again in a table of phrases.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku {

/// `text` in `language`: a phrase of one of the tables with its {} filled, or several joined by
/// "; " (or ", "). What stands in the {} is translated likewise, when it is a phrase itself. What
/// is in no table stays as it is, and so does a text of more than 500 bytes.
std::string translate(std::string_view text, std::span<const std::span<const Phrase>> tables,
                      Language language);

}  // namespace hikyaku
