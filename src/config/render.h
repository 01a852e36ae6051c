// What people read about the options: the sample file and docs/configuration.md.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/options.h"

namespace hikyaku::config {

/// An option with the value to write, as TOML.
struct Setting {
  std::string name;
  std::string toml;
};

/// How much of the table a written file explains.
enum class Detail {
  Everything,  ///< every option with its documentation, commented out unless set
  SetOnly,     ///< the options that are set, each with its documentation
};

/// A commented hikyaku.toml in which `settings` are set. load_text reads it back.
std::string sample(const std::vector<Setting>& settings, Detail detail);

/// docs/configuration.md.
std::string markdown();

}  // namespace hikyaku::config
