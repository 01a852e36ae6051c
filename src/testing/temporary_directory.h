// A directory that goes away with the test.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace hikyaku::testing {

/// Makes a new directory, and removes it with all that is in it when destroyed: declare it before
/// whatever has files open there.
struct TemporaryDirectory {
  const std::filesystem::path path = make();

  TemporaryDirectory() = default;
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

 private:
  static std::filesystem::path make() {
    auto pattern = (std::filesystem::temp_directory_path() / "hikyaku-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary directory");
    return pattern;
  }
};

}  // namespace hikyaku::testing
