#include "config/diff.h"

namespace hikyaku::config {

std::vector<Change> diff(const Config& before, const Config& after) {
  std::vector<Change> changes;
  for (auto& option : options()) {
    auto old_value = option.get(before), new_value = option.get(after);
    if (old_value == new_value) continue;
    changes.push_back({&option, to_toml(option, old_value), to_toml(option, new_value)});
  }
  return changes;
}

Config reloaded(const Config& before, const Config& after) {
  auto config = after;
  for (auto& option : options())
    if (option.applies == Applies::OnRestart) option.put(config, option.get(before));
  return config;
}

}  // namespace hikyaku::config
