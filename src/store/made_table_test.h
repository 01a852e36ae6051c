// Tables as RocksDB writes them, out of any blocks. For tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <xxhash.h>

#include "base/codec.h"
#include "store/rocks_table.h"

namespace hikyaku::store {

inline void add_little_endian(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}

/// What stands behind a block: how it is packed, and its checksum.
inline std::string table_trailer(std::string_view block, std::uint8_t kind) {
  auto sum =
      static_cast<std::uint32_t>(XXH3_64bits(block.data(), block.size())) ^ kind * 0x6b9083d9U;
  std::string trailer(1, static_cast<char>(kind));
  add_little_endian(trailer, sum, 4);
  return trailer;
}

inline void add_table_block(std::string& to, std::string_view block, std::uint8_t kind) {
  to.append(block).append(table_trailer(block, kind));
}

inline std::string table_footer(TablePlace list) {
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

struct MadeRow {
  std::string key;
  std::optional<std::string> value;
  std::uint64_t number = 0;
};

/// A block of rows without its end (add_restarts), each with the whole of its key.
inline std::string made_rows(const std::vector<MadeRow>& rows) {
  Encoder block;
  for (const auto& row : rows) {
    block.varint(0);
    block.varint(row.key.size() + 8);
    block.varint(row.value ? row.value->size() : 0);
    block.raw(row.key);
    std::string tail;
    add_little_endian(tail, row.number << 8 | (row.value ? 1 : 0), 8);
    block.raw(tail);
    if (row.value) block.raw(*row.value);
  }
  return block.take();
}
inline void add_restarts(std::string& block) {
  add_little_endian(block, 0, 4);
  add_little_endian(block, 1, 4);
}

/// A table of one block, whose rows are in the order of their keys.
inline std::string made_table(const std::vector<MadeRow>& rows) {
  auto block = made_rows(rows);
  add_restarts(block);
  Encoder list;
  list.varint(0);
  list.varint(rows.back().key.size());
  list.raw(rows.back().key);
  list.varint(0);
  list.varint(block.size());
  auto blocks = list.take();
  add_restarts(blocks);
  std::string table;
  add_table_block(table, block, 0);
  auto at = table.size();
  add_table_block(table, blocks, 0);
  return table + table_footer({at, blocks.size()});
}

}  // namespace hikyaku::store
