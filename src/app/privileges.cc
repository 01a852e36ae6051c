#include "app/privileges.h"

#include <array>
#include <cerrno>
#include <fmt/core.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hikyaku::app {
namespace {

Error failed(std::string_view what) {
  return errno_error(fmt::format("cannot enter the sandbox ({})", what), errno);
}

Result<void> drop_capabilities() {
  drop_bounding_set();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return std::unexpected(failed("capset"));
  return {};
}

}  // namespace

void drop_bounding_set() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

Result<void> give_up_privileges() {
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return std::unexpected(failed("setrlimit"));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return std::unexpected(failed("PR_SET_DUMPABLE"));
  TRY_DO(drop_capabilities());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(failed("PR_SET_NO_NEW_PRIVS"));
  return {};
}

}  // namespace hikyaku::app
