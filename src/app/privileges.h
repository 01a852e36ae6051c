// What every process of ours gives up that reads bytes of strangers.
#pragma once

#include "base/result.h"

namespace hikyaku::app {

/// The capabilities that a program executed later could have at most: none, for good. Only root can
/// (CAP_SETPCAP), so it comes before a change of user; anybody else has none to pass on.
void drop_bounding_set();

/// For good, and for every thread that is started later: all capabilities, new privileges
/// (no_new_privs), core dumps, and being looked into by others (not dumpable, so not traceable
/// either, but by root).
Result<void> give_up_privileges();

}  // namespace hikyaku::app
