// Options that a verb cannot do without.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "app/verb.h"

namespace hikyaku::app {

/// Names those of `options` that were not given, and gives the exit code; nullopt when all are
/// there.
std::optional<Exit> complain_of_missing(const Invocation& invocation,
                                        std::initializer_list<std::string_view> options,
                                        Terminal& terminal);

}  // namespace hikyaku::app
