// What is lost or damaged, as people are told it in a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/terminal.h"
#include "base/phrase.h"
#include "store/verify.h"

namespace hikyaku::app {

/// "date unknown" where nothing tells.
std::string date_of(const store::LostBody& body, Language language);
/// What stood beside it; `unknown` if that is gone, too.
std::string origin_of(const store::LostBody& body, std::string_view unknown);
/// The message that has the body, or what is known of it.
std::string line_of(const store::LostBody& body, Language language);

/// As many of `texts` as people read in a terminal; there are `all` of them. The
/// others can be had by --json.
void list_some(const std::vector<std::string>& texts, std::uint64_t all, Terminal& terminal);

/// "3 bodies cannot be read any more:", and which.
void list_lost(const std::vector<store::LostBody>& lost, Terminal& terminal);

}  // namespace hikyaku::app
