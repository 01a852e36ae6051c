// What a message tells its reader to do next.
#pragma once

#include <string>

#include "app/exit.h"
#include "app/instance.h"
#include "app/terminal.h"
#include "base/result.h"

namespace hikyaku::app {

/// What a command must be given to mean this instance: " --dir DIR", or nothing for the machine's
/// own.
std::string dir_words(const Instance& instance);

/// As report() in cli.h; of an instance that belongs to another user it says who may do it.
Exit report_access(const Error& error, Terminal& terminal);

}  // namespace hikyaku::app
