// The problems of chains in other languages than that in which they are worked out.
#pragma once

#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::arc {

/// A Verdict::problem or header_problem in `language`, also one that was stored.
std::string problem_in(std::string_view problem, Language language);

}  // namespace hikyaku::arc
