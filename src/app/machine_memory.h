// How much memory this process may use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace hikyaku::app {

/// The machine's memory, or the limit of the control group that this process is in, whichever is
/// less.
std::uint64_t available_memory();

/// The lowest limit of memory of the control groups, of both versions, that `membership`
/// (/proc/self/cgroup) names, and of those around them; UINT64_MAX: there is none. `root`: where
/// they are mounted.
std::uint64_t cgroup_memory(std::string_view membership, const std::filesystem::path& root);

}  // namespace hikyaku::app
