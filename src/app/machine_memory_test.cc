#include "app/machine_memory.h"

#include <doctest/doctest.h>
#include <fstream>

#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

TEST_CASE("the lowest limit of the control groups around the process counts") {
  testing::TemporaryDirectory directory;
  auto& root = directory.path;
  auto write = [&](const char* file, const char* text) {
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text << "\n";
  };
  write("memory/memory.limit_in_bytes", "9223372036854771712");
  write("memory/outer/memory.limit_in_bytes", "3000");
  write("memory/outer/inner/memory.limit_in_bytes", "5000");
  write("system.slice/memory.max", "max");
  write("system.slice/a.service/memory.max", "7000");
  struct Case {
    std::string_view membership;
    std::uint64_t limit;
  };
  for (auto& c : {
           Case{"0::/system.slice/a.service\n", 7000},
           Case{"0::/system.slice\n", UINT64_MAX},
           Case{"0::/\n", UINT64_MAX},
           Case{"9:name=systemd:/\n4:memory:/outer/inner\n0::/\n", 3000},
           Case{"4:cpu,memory:/outer\n", 3000},
           Case{"4:memory:/gone/inner\n", 9223372036854771712u},  // seen from within a container
           Case{"4:cpu:/outer\n", UINT64_MAX},
           Case{"4:memory:/outer\n0::/system.slice/a.service\n", 3000},
           Case{"nonsense\n::\n\n", UINT64_MAX},
       }) {
    CAPTURE(c.membership);
    CHECK(cgroup_memory(c.membership, root) == c.limit);
  }
}

}  // namespace
}  // namespace hikyaku::app
