#include "store/rows.h"

#include "base/codec.h"

namespace hikyaku::store {

std::string encode(const BodyPlace& place) {
  Encoder out;
  out.varint(place.segment);
  out.varint(place.header_offset);
  out.varint(place.header_length);
  out.varint(place.size);
  out.varint(place.stored);
  out.u8(place.contiguous ? 1 : 0);
  return out.take();
}

Result<BodyPlace> decode_body_place(std::string_view bytes) {
  Decoder in(bytes);
  BodyPlace place;
  place.segment = static_cast<SegmentNumber>(in.varint());
  place.header_offset = in.varint();
  place.header_length = static_cast<std::uint32_t>(in.varint());
  place.size = in.varint();
  place.stored = in.varint();
  place.contiguous = in.u8() != 0;
  if (in.failed()) return fail(ErrorCode::Corrupt, "a body's place makes no sense");
  return place;
}

std::string encode(const SegmentUse& use) {
  Encoder out;
  out.varint(use.live);
  out.varint(use.retained);
  out.varint(use.first);
  out.varint(use.last);
  return out.take();
}

Result<SegmentUse> decode_segment_use(std::string_view bytes) {
  Decoder in(bytes);
  SegmentUse use;
  use.live = in.varint();
  use.retained = in.varint();
  if (!in.at_end()) {  // stores of before did not keep these
    use.first = in.varint();
    use.last = in.varint();
  }
  if (in.failed()) return fail(ErrorCode::Corrupt, "a segment's counters make no sense");
  return use;
}

SegmentUse segment_use(const std::optional<std::string>& row) {
  // No changes make it less than full, and none make it overflow.
  constexpr std::uint64_t kFull = 1ull << 62;
  if (!row) return {};
  return decode_segment_use(*row).value_or(SegmentUse{.live = kFull});
}

std::string encode_number(std::uint64_t value) {
  Encoder out;
  out.varint(value);
  return out.take();
}

std::uint64_t decode_number(std::string_view bytes) {
  return Decoder(bytes).varint();
}

}  // namespace hikyaku::store
