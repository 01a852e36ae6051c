#include "app/directory_listing.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

TEST_CASE("a directory is listed, or it is said why it cannot be") {
  testing::TemporaryDirectory top;
  auto& path = top.path;
  CHECK(list_directory(path).entries.empty());
  CHECK_FALSE(list_directory(path).problem.has_value());

  std::ofstream(path / "a file") << "x";
  std::filesystem::create_directory(path / "within");
  std::filesystem::create_directory_symlink(path / "within", path / "a link");
  auto listing = list_directory(path / ".");
  CHECK(listing.entries.size() == 3);
  CHECK(std::ranges::count_if(listing.entries, [](auto& one) { return one.is_directory(); }) == 2);
  CHECK(list_directory(path / "a link").entries.empty());

  auto missing = list_directory(path / "nowhere");
  REQUIRE(missing.problem.has_value());
  CHECK(missing.problem->code == ErrorCode::NotFound);
  CHECK(missing.problem->text.find("nowhere") != std::string::npos);
  auto file = list_directory(path / "a file");
  REQUIRE(file.problem.has_value());
  CHECK(file.problem->code != ErrorCode::NotFound);
}

}  // namespace
}  // namespace hikyaku::app
