#include "app/open_files.h"

#include <algorithm>
#include <cerrno>
#include <sys/resource.h>

namespace hikyaku::app {

void allow_open_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

Result<OpenFiles> OpenFiles::plan() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
    return std::unexpected(errno_error("getrlimit", errno));
  // More than anybody needs, where there is no limit.
  std::uint64_t limit = std::min<std::uint64_t>(files.rlim_cur, 1u << 30);
  if (limit < kLeast)
    return fail(ErrorCode::Unavailable,
                "only {} files may be open at once, and a server needs {} at least: raise the "
                "limit (ulimit -n, or LimitNOFILE= of the unit)",
                limit, kLeast);
  auto kept = std::min(limit / 2, kMostKept);
  // Of local programs ten times as many may be there (LocalPlaces), and a connection that is being
  // made tries two addresses at once.
  return OpenFiles{limit, static_cast<std::uint32_t>(limit - kept),
                   static_cast<std::uint32_t>(kept / 40), static_cast<std::uint32_t>(kept / 8)};
}

}  // namespace hikyaku::app
