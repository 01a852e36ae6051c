// Test material that others wrote lies beside the checkout: where, and reading it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hikyaku::testing::vectors {

/// $HIKYAKU_VECTORS, or shared/vectors beside the checkout; empty when there is no such folder.
std::filesystem::path folder();

/// The folder, or a printed word that the test is skipped and an empty path.
std::filesystem::path folder_or_skip(std::string_view test);

std::string read(const std::filesystem::path& path);

/// All regular files below a folder, sorted, whose name ends so.
std::vector<std::filesystem::path> files(const std::filesystem::path& below,
                                         std::string_view ending = "");

std::string without_cr(std::string text);

}  // namespace hikyaku::testing::vectors
