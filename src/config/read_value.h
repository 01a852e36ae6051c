// Reading one option's value from the tree.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "config/options.h"
#include "config/tree.h"

namespace hikyaku::config {

/// The value in `node`, or nullopt with at least one problem added. Relative paths start at
/// `directory`.
std::optional<Value> read_value(const Option& option, const Node& node,
                                const std::filesystem::path& directory,
                                std::vector<Problem>& problems);

}  // namespace hikyaku::config
