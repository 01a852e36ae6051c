// Who holds the lock of a store, for people: what its file says, or the kernel.
#pragma once

#include <string>
#include <string_view>

namespace hikyaku::store {

/// "4711 (hikyaku undelete)": this process and the verb that it was started with, as far as that
/// can be known.
std::string describe_this_process();
/// The same of a command line whose words end with zero bytes (proc(5)): the program's name and the
/// words up to the first that is no verb, for the rest may be nobody's business.
std::string describe_process(int pid, std::string_view command_line);
/// The same of any process that /proc shows.
std::string describe_process(int pid);

/// Of the process that has an flock on what is open as `descriptor`, as far as /proc/locks tells:
/// for what has no text that says it. Otherwise "unknown".
std::string describe_locker(int descriptor);

}  // namespace hikyaku::store
