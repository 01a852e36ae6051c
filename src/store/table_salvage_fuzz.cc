// A table of one block of rows and its list of blocks: any bytes, with checksums and a footer made
// right, so that what stands behind them is reached.
#include <cstdint>
#include <string>
#include <string_view>
#include <xxhash.h>

#include "base/codec.h"
#include "store/rocks_table.h"
#include "store/simulated_file_system.h"
#include "store/table_salvage.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

void add_little_endian(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}

void add_block(std::string& to, std::string_view block, std::uint8_t kind) {
  auto sum =
      static_cast<std::uint32_t>(XXH3_64bits(block.data(), block.size())) ^ kind * 0x6b9083d9U;
  to.append(block);
  to += static_cast<char>(kind);
  add_little_endian(to, sum, 4);
}

std::string footer(TablePlace list) {
  Encoder out;
  out.u8(4);  // XXH3
  for (auto place : {list, list}) {
    out.varint(place.offset);
    out.varint(place.size);
  }
  auto bytes = out.take();
  bytes.resize(41);
  add_little_endian(bytes, kTableFormat, 4);
  add_little_endian(bytes, 0x88e241b785f4cff7, 8);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 4096) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  auto rows = bytes.substr(0, (data[0] | data[1] << 8) % (bytes.size() + 1));
  auto list = bytes.substr(rows.size());
  std::string table;
  add_block(table, rows, data[2] % 8);
  auto at = table.size();
  add_block(table, list, data[3] % 8);
  table += footer({at, list.size()});
  SimulatedFileSystem files(1);
  (void)files.make_directory("/index");
  (void)replace_file(files, "/index", "1.sst", table);
  auto nothing = [](std::string_view, std::optional<std::string_view>) { return Result<void>(); };
  (void)salvage_table(files, "/index/1.sst", nothing);
  return 0;
}
