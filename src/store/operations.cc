#include "store/operations.h"

#include <algorithm>

#include "base/codec.h"

namespace hikyaku::store {
namespace {

enum Kind : std::uint8_t { kPut = 1, kErase = 2, kEraseRange = 3 };

/// Keys come sorted and share beginnings: only what differs from the key before is written.
class KeyWriter {
 public:
  explicit KeyWriter(Encoder& to) : to_(to) {}
  void write(std::string_view key) {
    auto [mine, theirs] = std::ranges::mismatch(key, previous_);
    auto shared = static_cast<std::size_t>(mine - key.begin());
    to_.varint(shared);
    to_.text(key.substr(shared));
    previous_ = key;
  }

 private:
  Encoder& to_;
  std::string_view previous_;
};

}  // namespace

std::string encode_operations(const Overlay& writes) {
  Encoder out;
  out.varint(writes.ranges().size() + writes.entries().size());
  KeyWriter keys(out);
  for (const auto& [begin, end] : writes.ranges()) {
    out.u8(kEraseRange);
    keys.write(begin);
    out.text(end);
  }
  for (const auto& [key, value] : writes.entries()) {
    out.u8(value ? kPut : kErase);
    keys.write(key);
    if (value) out.text(*value);
  }
  return out.take();
}

Result<Overlay> decode_operations(std::string_view bytes) {
  Overlay writes;
  Decoder in(bytes);
  std::string key;
  auto count = in.varint();
  if (in.failed()) return fail(ErrorCode::Corrupt, "no operation list");
  for (std::uint64_t i = 0; i < count; ++i) {
    auto kind = in.u8();
    auto shared = in.varint();
    auto suffix = in.text();
    if (in.failed() || shared > key.size())
      return fail(ErrorCode::Corrupt, "operation {} has no proper key", i);
    key.resize(static_cast<std::size_t>(shared));
    key += suffix;
    switch (kind) {
      case kPut:
        writes.put(key, in.text());
        break;
      case kErase:
        writes.erase(key);
        break;
      case kEraseRange:
        writes.erase_range({key, std::string(in.text())});
        break;
      default:
        return fail(ErrorCode::Corrupt, "operation {} is of the unknown kind {}", i, kind);
    }
    if (in.failed()) return fail(ErrorCode::Corrupt, "operation {} is cut off", i);
  }
  if (!in.at_end()) return fail(ErrorCode::Corrupt, "bytes behind the last operation");
  return writes;
}

}  // namespace hikyaku::store
