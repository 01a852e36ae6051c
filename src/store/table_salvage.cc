#include "store/table_salvage.h"

#include <algorithm>
#include <lz4.h>
#include <memory>
#include <utility>
#include <xxhash.h>
#include <zstd.h>

#include "base/codec.h"
#include "store/rocks_table.h"

namespace hikyaku::store {
namespace {

/// No block of ours is as large: a row is written whole into one, and so is the list of blocks.
constexpr std::uint64_t kMostBlock = 256ull << 20;
/// Blocks of rows are ended at 16 KB; one that holds a large row is found by the list alone.
constexpr std::uint64_t kMostSearched = 256ull << 10;
/// The filter of a table may be larger: ten bits for each row.
constexpr std::uint64_t kMostFilter = 8ull << 20;
/// Behind each key: the number of the write, and its kind in the lowest byte.
constexpr std::size_t kKeyTail = 8;
constexpr std::uint8_t kErased = 0, kValue = 1, kErasedOnce = 7;
constexpr std::uint8_t kPlain = 0, kLz4 = 4, kLz4High = 5, kZstd = 7;

struct Entry {
  std::string key;
  std::string_view value;
};

/// The text behind its length, which begins it; nullopt: it is none.
std::optional<std::string> unpacked(std::string_view bytes, std::uint8_t kind) {
  if (kind == kPlain) return std::string(bytes);
  Decoder in(bytes);
  auto length = in.varint();
  auto packed = in.rest();
  if (in.failed() || length > kMostBlock) return std::nullopt;
  std::string text(length, '\0');
  std::uint64_t got = 0;
  if (kind == kLz4 || kind == kLz4High) {
    auto size = LZ4_decompress_safe(packed.data(), text.data(), static_cast<int>(packed.size()),
                                    static_cast<int>(length));
    got = size < 0 ? UINT64_MAX : static_cast<std::uint64_t>(size);
  } else if (kind == kZstd) {
    got = ZSTD_decompress(text.data(), text.size(), packed.data(), packed.size());
  } else {
    return std::nullopt;
  }
  return got == length ? std::optional(std::move(text)) : std::nullopt;
}

/// The part of a block before the places of its restarts, which stand behind their count.
std::optional<std::string_view> entries_of(std::string_view block) {
  if (block.size() < 4) return std::nullopt;
  auto restarts = little_endian(block.substr(block.size() - 4));
  if (restarts == 0 || restarts > (block.size() - 4) / 4) return std::nullopt;
  return block.substr(0, block.size() - 4 * (restarts + 1));
}

/// Calls visit(entry, whether its key shares nothing with the one before). False: it is no block of
/// such entries.
template <class Visit>
bool each_entry(std::string_view block, bool with_length, Visit visit) {
  auto entries = entries_of(block);
  if (!entries) return false;
  Decoder in(*entries);
  Entry entry;
  while (!in.at_end()) {
    auto shared = in.varint(), own = in.varint();
    auto length = with_length ? in.varint() : 0;
    if (in.failed() || shared > entry.key.size()) return false;
    entry.key.resize(shared);
    entry.key += in.raw(own);
    if (with_length) entry.value = in.raw(length);
    if (in.failed() || !visit(entry, in, shared == 0)) return false;
  }
  return true;
}

class Salvage {
 public:
  Salvage(File& file, std::uint64_t size, const VisitRow& visit)
      : file_(file), size_(size), visit_(visit) {}

  Result<TableSalvage> run() {
    if (auto blocks = list_blocks())
      TRY_DO(read_listed(*blocks));
    else
      TRY_DO(search());
    return std::move(found_);
  }

 private:
  struct Block {
    TablePlace place;
    std::string last;  ///< no key in it is above this one, and all behind it are
  };

  /// What stands there, unpacked, if its checksum holds.
  std::optional<std::string> read(TablePlace place) const {
    if (place.size > kMostBlock || !place.is_inside(size_)) return std::nullopt;
    auto bytes = read_exactly(file_, place.offset, place.size + kTableTrailer);
    if (!bytes || !table_block_holds(*bytes)) return std::nullopt;
    return unpacked(std::string_view(*bytes).substr(0, place.size),
                    static_cast<std::uint8_t>((*bytes)[place.size]));
  }

  /// As the table itself has it. nullopt: that cannot be read.
  std::optional<std::vector<Block>> list_blocks() const {
    auto list = find_table_list(
        size_, [&](std::uint64_t offset, std::span<char> into) { return read_into(offset, into); });
    auto bytes = list ? read(*list) : std::nullopt;
    if (!bytes) return std::nullopt;
    std::vector<Block> blocks;
    bool whole = each_entry(*bytes, false, [&](const Entry& entry, Decoder& in, bool first) {
      TablePlace place;
      if (first) {
        place.offset = in.varint();
        place.size = in.varint();
      } else {
        // Behind the one before it, and so much larger than that.
        const auto& before = blocks.back().place;
        place.offset = before.offset + before.size + kTableTrailer;
        place.size = before.size + static_cast<std::uint64_t>(in.svarint());
      }
      if (in.failed()) return false;
      blocks.push_back({place, entry.key});
      return true;
    });
    if (!whole) return std::nullopt;
    return blocks;
  }

  Result<void> read_into(std::uint64_t offset, std::span<char> into) const {
    TRY(auto bytes, read_exactly(file_, offset, into.size()));
    std::ranges::copy(bytes, into.begin());
    return {};
  }

  Result<void> read_listed(const std::vector<Block>& blocks) {
    std::string before;
    for (const auto& block : blocks) {
      auto bytes = read(block.place);
      // Nothing is given away of a block that is none.
      if (bytes && has_rows(*bytes))
        TRY_DO(visit_rows(*bytes));
      else
        lose(before, block.last);
      before = block.last;
    }
    return {};
  }

  void lose(const std::string& after, const std::string& up_to) {
    if (!found_.unreadable.empty() && found_.unreadable.back().up_to == after)
      found_.unreadable.back().up_to = up_to;
    else
      found_.unreadable.push_back({after, up_to});
  }

  /// The blocks of rows stand before all others, and nothing is between them. The filter is the
  /// first of the others.
  Result<void> search() {
    std::uint64_t at = 0;
    for (;;) {
      auto block = find_block(at, kMostSearched);
      if (block.kind == FoundBlock::None) block = find_block(at, kMostFilter);
      if (block.kind == FoundBlock::None) found_.unreadable.push_back({last_key_, std::nullopt});
      if (block.kind != FoundBlock::Rows) return {};
      TRY_DO(visit_rows(block.rows));
      at += block.size + kTableTrailer;
    }
  }

  struct FoundBlock {
    enum { None, Rows, Filter } kind = None;
    std::uint64_t size = 0;
    std::string rows = {};
  };
  /// Tries every length up to `most`. A checksum may hold by chance: rows are what counts, and a
  /// block without any, which is never packed, is the filter only where there is no longer one.
  FoundBlock find_block(std::uint64_t at, std::uint64_t most) const {
    most = std::min(most, size_ - std::min(size_, at));
    FoundBlock found;
    auto bytes = read_exactly(file_, at, most);
    if (!bytes) return found;
    std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(XXH3_createState(),
                                                                  XXH3_freeState);
    XXH3_64bits_reset(hash.get());
    for (std::uint64_t size = 0; size + kTableTrailer <= most; ++size) {
      auto sum = static_cast<std::uint32_t>(XXH3_64bits_digest(hash.get()));
      auto trailer = std::string_view(*bytes).substr(size, kTableTrailer);
      if (size >= kSmallestTableBlock && table_trailer_holds(sum, trailer)) {
        auto kind = static_cast<std::uint8_t>(trailer[0]);
        auto block = unpacked(std::string_view(*bytes).substr(0, size), kind);
        if (block && has_rows(*block)) return {FoundBlock::Rows, size, std::move(*block)};
        if (kind == kPlain) found = {FoundBlock::Filter, size};
      }
      XXH3_64bits_update(hash.get(), bytes->data() + size, 1);
    }
    return found;
  }

  static bool has_rows(std::string_view block) {
    bool any = false;
    bool all = each_entry(block, true, [&](const Entry& entry, Decoder&, bool) {
      if (entry.key.size() < kKeyTail) return false;
      auto kind = static_cast<std::uint8_t>(entry.key[entry.key.size() - kKeyTail]);
      any = true;
      return kind == kErased || kind == kValue || kind == kErasedOnce;
    });
    return any && all;
  }

  Result<void> visit_rows(std::string_view block) {
    Result<void> done;
    each_entry(block, true, [&](const Entry& entry, Decoder&, bool) {
      done = visit_row(entry);
      return done.has_value();
    });
    return done;
  }

  Result<void> visit_row(const Entry& entry) {
    auto key = std::string_view(entry.key).substr(0, entry.key.size() - kKeyTail);
    auto tail = little_endian(std::string_view(entry.key).substr(key.size()));
    // What was written last stands first.
    if (found_.rows != 0 && key == last_key_) return {};
    ++found_.rows;
    last_key_ = key;
    bool is_there = (tail & 0xFF) == kValue;
    return visit_({key, is_there ? std::optional(entry.value) : std::nullopt, tail >> 8});
  }

  File& file_;
  std::uint64_t size_;
  const VisitRow& visit_;
  TableSalvage found_;
  std::string last_key_;
};

}  // namespace

Result<TableSalvage> salvage_table(FileSystem& files, const std::string& path,
                                   const VisitRow& visit) {
  TRY(auto file, files.open(path, OpenMode::Read));
  TRY(auto size, file->size());
  return Salvage(*file, size, visit).run();
}

}  // namespace hikyaku::store
