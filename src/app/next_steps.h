// The words of commands that a message tells its reader to run next.
#pragma once

#include <string>

#include "app/instance.h"

namespace hikyaku::app {

/// What a command must be given to mean this instance: " --dir DIR", or nothing for the machine's
/// own.
std::string dir_words(const Instance& instance);

}  // namespace hikyaku::app
