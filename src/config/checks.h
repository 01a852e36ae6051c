// Conflicts between options that are each right by themselves.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/tree.h"

namespace hikyaku::config {

/// The line where an option was set; 0 if it was not.
using LineOf = std::function<int(std::string_view option)>;

/// Adds a problem for each conflict.
void find_conflicts(const Config& config, const LineOf& line_of, std::vector<Problem>& problems);

}  // namespace hikyaku::config
