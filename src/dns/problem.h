// Why the DNS gave no answer, and why a name is none, in other languages than that in which it is
// worked out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::dns {

/// Every text that Answer::problem and the error of to_ascii() can be made of, but for what a
/// library says of a broken DNSSEC signature. The English side is the key: it must be what the
/// source that fails writes, word for word.
std::span<const Phrase> problem_phrases();

/// Such a text, or one that is made of phrases of `others`, in `language`.
std::string problem_in(std::string_view problem, Language language,
                       std::span<const Phrase> others = {});

}  // namespace hikyaku::dns
