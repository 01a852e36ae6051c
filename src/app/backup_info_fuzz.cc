// BACKUP.json, any bytes: what is accepted has a time and a store's number, and says the same when
// it is written again.
#include <cstdlib>
#include <fstream>

#include "app/backup_files.h"
#include "base/text.h"

namespace {
using namespace hikyaku::app;

/// A backup with nothing but that file, in memory where that goes; goes with the process.
const std::filesystem::path& directory() {
  static const struct Directory {
    std::filesystem::path path = [] {
      std::filesystem::path memory = "/dev/shm";
      auto top = exists(memory) ? memory : std::filesystem::temp_directory_path();
      auto name = (top / "hikyaku-fuzz-XXXXXX").string();
      if (!::mkdtemp(name.data())) std::abort();
      return name;
    }();
    ~Directory() { std::filesystem::remove_all(path); }
  } made;
  return made.path;
}

auto read_back(std::string_view text) {
  std::ofstream(directory() / "BACKUP.json", std::ios::binary | std::ios::trunc) << text;
  return find_backup(directory());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto info = read_back({reinterpret_cast<const char*>(data), size});
  if (!info) return 0;
  if (!hikyaku::parse_rfc3339(info->made) || info->store_id.empty() ||
      !hikyaku::from_hex(info->store_id))
    std::abort();
  auto text = boost::json::serialize(describe(*info));
  auto again = read_back(text);
  if (!again || boost::json::serialize(describe(*again)) != text) std::abort();
  return 0;
}
