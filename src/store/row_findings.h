// RowFindings: what a check of rows has found, and what mends it.
#pragma once

#include <fmt/format.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hikyaku::store {

/// One row as it should be; without a value it should not be there.
struct RowFix {
  std::string key;
  std::optional<std::string> value;
};

struct RowFindings {
  std::vector<std::string> problems;  ///< a sentence each
  std::vector<RowFix> rows;           ///< what makes it right again

  template <class... Args>
  void problem(fmt::format_string<Args...> format, Args&&... args) {
    problems.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void put(std::string_view key, std::string value) {
    rows.push_back({std::string(key), std::move(value)});
  }
  void erase(std::string_view key) { rows.push_back({std::string(key), std::nullopt}); }
};

}  // namespace hikyaku::store
