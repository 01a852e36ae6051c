// What a reload changes.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"

namespace hikyaku::config {

/// One option whose value differs.
struct Change {
  const Option* option = nullptr;
  std::string before;  ///< as TOML
  std::string after;
};

/// The options that differ, in the order of the table. Whether a change counts at once says
/// Option::applies.
std::vector<Change> diff(const Config& before, const Config& after);

/// What runs after a reload: `after`, but with the values of `before` where a restart is needed.
Config reloaded(const Config& before, const Config& after);

}  // namespace hikyaku::config
