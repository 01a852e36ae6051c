// What is wrong with reports and their destinations, in other languages than English.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::dmarc {

/// What this directory says of reports and of where they go, and what reports/ adds; for
/// translate().
std::span<const Phrase> problem_phrases();

/// Such a text, or one of the DNS, in `language`; what is not known stays as it is.
std::string problem_in(std::string_view problem, Language language);

}  // namespace hikyaku::dmarc
