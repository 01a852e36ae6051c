// Group and body headers, frames, segment headers: any bytes, with checksums made right, so that
// what stands behind them is reached.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "store/record.h"
#include "store/rows.h"

using namespace hikyaku;
using namespace hikyaku::store;

namespace {

/// The bytes with the segment's mark before and the right checksum behind.
std::string sealed(std::string_view bytes, const Segment& segment) {
  std::string whole = segment_mark(segment) + std::string(bytes);
  Encoder check;
  check.u32_be(segment.checksum(0, whole));
  return whole + check.bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const Segment segment(nullptr, [] {
    SegmentHeader header;
    header.mark = 0x0102030405060708;
    return header;
  }());
  (void)decode_segment_header(bytes);
  (void)decode_body_place(bytes);
  (void)decode_segment_use(bytes);
  (void)decode_group_header(bytes, segment, 0);
  (void)decode_group_header(sealed(bytes, segment), segment, 0);
  (void)decode_body_header(bytes, segment, 0);
  auto body = decode_body_header(sealed(bytes, segment), segment, 0);
  if (!body) return 0;
  for (auto frame : body->frames) {
    if (frame.stored > bytes.size()) continue;
    auto stored = std::string(bytes.substr(0, frame.stored));
    frame.crc = encode_frame(stored, Codec::Raw).frame.crc;
    (void)decode_frame(frame, std::move(stored));
  }
  return 0;
}
