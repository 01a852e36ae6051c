// The checksums of a backup, any text: what is accepted names files below its directory only, and
// is the same when it is written again.
#include <cstdlib>
#include <filesystem>

#include "app/backup_sums.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::app;
  auto sums = BackupSums::parse({reinterpret_cast<const char*>(data), size});
  if (!sums) return 0;
  for (auto& [path, sum] : sums->all()) {
    std::filesystem::path below(path);
    if (sum.size() != 64 || below.is_absolute()) std::abort();
    for (auto& step : below)
      if (step == "..") std::abort();
  }
  auto again = BackupSums::parse(sums->text());
  if (!again || again->all() != sums->all()) std::abort();
  return 0;
}
