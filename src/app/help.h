// The texts of `hikyaku --help` and `hikyaku VERB --help`.
#pragma once

#include <span>
#include <string_view>

#include "app/terminal.h"
#include "app/verb.h"

namespace hikyaku::app {

/// Everything there is, by groups, with how to begin.
void show_overview(std::span<const Verb> verbs, Terminal& terminal);
/// One verb in full.
void show_verb(const Verb& verb, Terminal& terminal);
/// The help for `words`: a verb, or the first word of several, or "" for the overview.
void show_help(std::span<const Verb> verbs, std::string_view words, Terminal& terminal);
/// "hikyaku 0.1.0".
std::string_view version_text();

}  // namespace hikyaku::app
