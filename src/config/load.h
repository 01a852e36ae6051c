// From the text of hikyaku.toml to a checked Config, or to all of its mistakes.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/tree.h"

namespace hikyaku::config {

/// Every mistake in a file, by line.
struct Problems {
  std::string file;
  std::vector<Problem> list;

  /// One line for each: "FILE:LINE: WHAT. REMEDY".
  std::string describe(Language language = Language::English) const;
};

/// Larger files are refused; ours has 20 KB with all comments.
inline constexpr std::size_t kMaxFileSize = 1 << 20;

/// Parses and checks `text`. Relative paths in it start at the directory of `file`, which is not
/// read.
std::expected<Config, Problems> load_text(std::string_view text, const std::filesystem::path& file);

/// The same from the file itself; a file that cannot be read is a Problem without a line.
std::expected<Config, Problems> load_file(const std::filesystem::path& file);

/// What a file without any option gives.
Config defaults();

}  // namespace hikyaku::config
