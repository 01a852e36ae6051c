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
/// Behind each block: how it is compressed (1 byte), its checksum (4).
constexpr std::size_t kTrailerSize = 5;
/// A block ends with the count of its restart points.
constexpr std::size_t kSmallestBlock = 4;
constexpr std::string_view kProperties = "rocksdb.properties";

struct BlockPlace {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

BlockPlace read_place(Decoder& in) {
  BlockPlace place;
  place.offset = in.varint();
  place.size = in.varint();
  return place;
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
    value = value << 8 | static_cast<std::uint8_t>(*byte);
  return value;
}

class TableEnd {
 public:
  TableEnd(std::uint64_t size, const ReadTable& read) : size_(size), read_(read) {}

  Result<void> check() const {
    if (size_ < kFooterSize) return fail(ErrorCode::Corrupt, "it is too short");
    TRY(auto footer, read(size_ - kFooterSize, kFooterSize));
    Decoder in(footer);
    auto checksum = in.u8();
    auto metaindex = read_place(in), index = read_place(in);
    auto end = std::string_view(footer).substr(kFooterSize - 12);
    if (checksum != kXxh3 || in.failed() || in.remaining() < end.size() ||
        little_endian(end.substr(0, 4)) != kTableFormat || little_endian(end.substr(4)) != kMagic ||
        !is_inside(index))
      return fail(ErrorCode::Corrupt, "its footer is damaged");
    TRY(auto parts, read_block(metaindex, "metaindex"));
    TRY(auto properties, find_properties(parts));
    TRY_DO(read_block(properties, "properties"));
    return {};
  }

 private:
  bool is_inside(BlockPlace place) const {
    auto room = size_ - kFooterSize;
    return place.offset <= room && place.size <= room - place.offset &&
           room - place.offset - place.size >= kTrailerSize;
  }

  Result<std::string> read(std::uint64_t offset, std::size_t length) const {
    std::string bytes(length, '\0');
    TRY_DO(read_(offset, bytes));
    return bytes;
  }

  Result<std::string> read_block(BlockPlace place, std::string_view name) const {
    if (!is_inside(place) || place.size < kSmallestBlock)
      return fail(ErrorCode::Corrupt, "the place of its {} block is damaged", name);
    TRY(auto bytes, read(place.offset, place.size + kTrailerSize));
    auto trailer = bytes.substr(place.size);
    bytes.resize(place.size);
    // What is not hashed of it, the kind of compression, is put over the hash.
    auto sum = static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size())) ^
               static_cast<std::uint8_t>(trailer[0]) * 0x6b9083d9U;
    if (sum != little_endian(std::string_view(trailer).substr(1)))
      return fail(ErrorCode::Corrupt, "its {} block is damaged", name);
    return bytes;
  }

  /// In the metaindex: (shared, own and value length, own part of the key, value)…, then places in
  /// it of 4 bytes each, and their count.
  static Result<BlockPlace> find_properties(std::string_view block) {
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

Result<void> check_table(std::uint64_t size, const ReadTable& read) {
  return TableEnd(size, read).check();
}

}  // namespace hikyaku::store
