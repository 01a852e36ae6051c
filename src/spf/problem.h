// The problems of SPF records in other languages than that in which they are worked out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phrase.h"

namespace hikyaku::spf {

/// Every text that Verdict::detail and the error of parse_record() can be made of; what the DNS
/// says stands in dns/problem.h. The English side is the key: it must be what the source that fails
/// writes, word for word.
std::span<const Phrase> problem_phrases();

/// A Verdict::detail, or the error of a record, in `language`; also one that was stored.
std::string problem_in(std::string_view problem, Language language);

}  // namespace hikyaku::spf
