// The mistakes in a file, in the languages of people.
#pragma once

#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::config {

/// What Problem::what and Problem::remedy say, in `language`. Names, values and what the TOML
/// library says stay as they are.
std::string problem_in(std::string_view text, Language language);

}  // namespace hikyaku::config
