// What every process of ours gives up that reads bytes of strangers.
#pragma once

#include "base/result.h"

namespace hikyaku::app {

/// For good, and for every thread that is started later: all capabilities, new privileges
/// (no_new_privs), core dumps, and being looked into by others (not dumpable, so not traceable
/// either, but by root).
Result<void> give_up_privileges();

}  // namespace hikyaku::app
