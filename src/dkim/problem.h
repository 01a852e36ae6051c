// The problems of signatures and keys in other languages than that in which they are worked out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::dkim {

/// Every text that Verdict::problem, Keys::problem and HeaderFields::problem() can be made of, and
/// those for which a message of ours leaves unsigned. The English side is the key: it must be what
/// the source that fails writes, word for word.
std::span<const Phrase> problem_phrases();

/// A Verdict::problem in `language`, also one that was stored.
std::string problem_in(std::string_view problem, Language language);

}  // namespace hikyaku::dkim
