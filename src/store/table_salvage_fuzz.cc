// A table of one block of rows and its list of blocks: any bytes, with checksums and a footer made
// right, so that what stands behind them is reached.
#include <cstdint>
#include <string>
#include <string_view>

#include "store/made_table_test.h"
#include "store/simulated_file_system.h"
#include "store/table_salvage.h"

using namespace hikyaku;
using namespace hikyaku::store;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 4096) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  auto rows = bytes.substr(0, (data[0] | data[1] << 8) % (bytes.size() + 1));
  auto list = bytes.substr(rows.size());
  std::string table;
  add_table_block(table, rows, data[2] % 8);
  auto at = table.size();
  add_table_block(table, list, data[3] % 8);
  table += table_footer({at, list.size()});
  SimulatedFileSystem files(1);
  (void)files.make_directory("/index");
  (void)replace_file(files, "/index", "1.sst", table);
  auto nothing = [](const SalvagedRow&) { return Result<void>(); };
  (void)salvage_table(files, "/index/1.sst", nothing);
  return 0;
}
