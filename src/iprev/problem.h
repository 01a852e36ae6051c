// Why a client's address has no confirmed name, in other languages than that in which it is worked
// out.
#pragma once

#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::iprev {

/// A Verdict::problem in `language`, also one that was stored.
std::string problem_in(std::string_view problem, Language language);

}  // namespace hikyaku::iprev
