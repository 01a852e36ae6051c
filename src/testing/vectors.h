// Test material that others wrote lies beside the checkout: where, and reading it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::testing::vectors {

/// $HIKYAKU_VECTORS, or shared/vectors beside the checkout; empty when there is no such folder.
inline std::filesystem::path folder() {
  if (auto* named = std::getenv("HIKYAKU_VECTORS")) return named;
#ifdef HIKYAKU_SOURCE_DIR
  std::filesystem::path source = HIKYAKU_SOURCE_DIR;
#else
  std::filesystem::path source = std::filesystem::current_path();
#endif
  for (auto& path : {source / "../shared/vectors", source / "../../shared/vectors"})
    if (std::filesystem::is_directory(path)) return path;
  return {};
}

/// The folder, or a printed word that the test is skipped and an empty path.
inline std::filesystem::path folder_or_skip(std::string_view test) {
  auto path = folder();
  if (path.empty())
    std::cout << "skipped: " << test << " (no vectors; set HIKYAKU_VECTORS to their folder)\n";
  return path;
}

inline std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// All regular files below a folder, sorted, whose name ends so.
inline std::vector<std::filesystem::path> files(const std::filesystem::path& below,
                                                std::string_view ending = "") {
  std::vector<std::filesystem::path> result;
  for (auto& entry : std::filesystem::recursive_directory_iterator(below))
    if (entry.is_regular_file() && entry.path().string().ends_with(ending))
      result.push_back(entry.path());
  std::ranges::sort(result);
  return result;
}

inline std::string without_cr(std::string text) {
  std::erase(text, '\r');
  return text;
}

}  // namespace hikyaku::testing::vectors
