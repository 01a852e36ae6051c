// The problems of signatures and keys in other languages than that in which they are worked out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::dkim {

/// Every text that Verdict::problem, Keys::problem and HeaderFields::problem() can be made of.
std::span<const Phrase> problem_phrases();

/// A Verdict::problem in `language`, also one that was stored.
std::string problem_in(std::string_view problem, Language language);

}  // namespace hikyaku::dkim
