#pragma once

#include <filesystem>

namespace hikyaku::testing {

/// The checkout that the tests were built from.
std::filesystem::path source_tree();

}  // namespace hikyaku::testing
