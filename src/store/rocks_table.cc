#include "store/rocks_table.h"

#include <algorithm>
#include <string>
#include <xxhash.h>

#include "base/codec.h"

namespace hikyaku::store {
namespace {

// A footer: the kind of checksum (1 byte), the places of metaindex and index (varints), zeros,
// the form (4 bytes), the magic number (8).
constexpr std::size_t kFooterSize = 53;
constexpr std::uint8_t kXxh3 = 4;
constexpr std::uint64_t kMagic = 0x88e241b785f4cff7;
constexpr std::string_view kProperties = "rocksdb.properties";

TablePlace read_place(Decoder& in) {
  TablePlace place;
  place.offset = in.varint();
  place.size = in.varint();
  return place;
}

class TableEnd {
 public:
  TableEnd(std::uint64_t size, const ReadTable& read) : size_(size), read_(read) {}

  struct Footer {
    TablePlace metaindex;
    TablePlace index;
  };
  Result<Footer> read_footer() const {
    if (size_ < kFooterSize) return fail(ErrorCode::Corrupt, "it is too short");
    TRY(auto bytes, read(size_ - kFooterSize, kFooterSize));
    Decoder in(bytes);
    auto checksum = in.u8();
    Footer footer;
    footer.metaindex = read_place(in);
    footer.index = read_place(in);
    auto end = std::string_view(bytes).substr(kFooterSize - 12);
    if (checksum != kXxh3 || in.failed() || in.remaining() < end.size() ||
        little_endian(end.substr(0, 4)) != kTableFormat || little_endian(end.substr(4)) != kMagic ||
        !footer.index.is_inside(size_))
      return fail(ErrorCode::Corrupt, "its footer is damaged");
    return footer;
  }

  Result<void> check() const {
    TRY(auto footer, read_footer());
    TRY(auto parts, read_block(footer.metaindex, "metaindex"));
    TRY(auto properties, find_properties(parts));
    TRY_DO(read_block(properties, "properties"));
    return {};
  }

 private:
  Result<std::string> read(std::uint64_t offset, std::size_t length) const {
    std::string bytes(length, '\0');
    TRY_DO(read_(offset, bytes));
    return bytes;
  }

  Result<std::string> read_block(TablePlace place, std::string_view name) const {
    if (!place.is_inside(size_) || place.size < kSmallestTableBlock)
      return fail(ErrorCode::Corrupt, "the place of its {} block is damaged", name);
    TRY(auto bytes, read(place.offset, place.size + kTableTrailer));
    if (!table_block_holds(bytes)) return fail(ErrorCode::Corrupt, "its {} block is damaged", name);
    bytes.resize(place.size);
    return bytes;
  }

  /// In the metaindex: (shared, own and value length, own part of the key, value)…, then places in
  /// it of 4 bytes each, and their count.
  static Result<TablePlace> find_properties(std::string_view block) {
    auto restarts = little_endian(block.substr(block.size() - 4));
    if (restarts < block.size() / 4) {
      Decoder in(block.substr(0, block.size() - 4 * (restarts + 1)));
      std::string key;
      while (!in.at_end() && !in.failed()) {
        auto shared = in.varint(), own = in.varint(), length = in.varint();
        key.resize(std::min<std::uint64_t>(shared, key.size()));
        key += in.raw(own);
        Decoder value(in.raw(length));
        auto place = read_place(value);
        if (key == kProperties && !value.failed()) return place;
      }
    }
    return fail(ErrorCode::Corrupt, "its metaindex block does not name its properties");
  }

  std::uint64_t size_;
  const ReadTable& read_;
};

}  // namespace

bool TablePlace::is_inside(std::uint64_t table) const {
  if (table < kFooterSize) return false;
  auto room = table - kFooterSize;
  return offset <= room && size <= room - offset && room - offset - size >= kTableTrailer;
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    value = value << 8 | static_cast<std::uint8_t>(*byte);
  return value;
}

bool table_block_holds(std::string_view bytes) {
  if (bytes.size() < kTableTrailer) return false;
  auto block = bytes.substr(0, bytes.size() - kTableTrailer);
  return table_trailer_holds(static_cast<std::uint32_t>(XXH3_64bits(block.data(), block.size())),
                             bytes.substr(block.size()));
}

bool table_trailer_holds(std::uint32_t hash, std::string_view trailer) {
  // What is not hashed of it, the kind of compression, is put over the hash.
  auto sum = hash ^ static_cast<std::uint8_t>(trailer[0]) * 0x6b9083d9U;
  return sum == little_endian(trailer.substr(1));
}

Result<TablePlace> find_table_list(std::uint64_t size, const ReadTable& read) {
  TRY(auto footer, TableEnd(size, read).read_footer());
  return footer.index;
}

Result<void> check_table(std::uint64_t size, const ReadTable& read) {
  return TableEnd(size, read).check();
}

}  // namespace hikyaku::store
