#include "testing/vectors.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "testing/source_tree.h"

namespace hikyaku::testing::vectors {

std::filesystem::path folder() {
  if (auto* named = std::getenv("HIKYAKU_VECTORS")) return named;
  auto source = source_tree();
  for (auto& path : {source / "../shared/vectors", source / "../../shared/vectors"})
    if (std::filesystem::is_directory(path)) return path;
  return {};
}

std::filesystem::path folder_or_skip(std::string_view test) {
  auto path = folder();
  if (path.empty())
    std::cout << "skipped: " << test << " (no vectors; set HIKYAKU_VECTORS to their folder)\n";
  return path;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> files(const std::filesystem::path& below,
                                         std::string_view ending) {
  std::vector<std::filesystem::path> result;
  for (auto& entry : std::filesystem::recursive_directory_iterator(below))
    if (entry.is_regular_file() && entry.path().string().ends_with(ending))
      result.push_back(entry.path());
  std::ranges::sort(result);
  return result;
}

std::string without_cr(std::string text) {
  std::erase(text, '\r');
  return text;
}

}  // namespace hikyaku::testing::vectors
