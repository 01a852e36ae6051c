#include "store/record.h"

#include <zstd.h>

#include "base/codec.h"
#include "store/crc32c.h"

namespace hikyaku::store {
namespace {

constexpr std::uint8_t kGroup = 'G';
constexpr std::uint8_t kBody = 'B';

std::string with_checksum(Encoder& out, const Segment& segment, std::uint64_t offset) {
  auto bytes = out.take();
  Encoder check;
  check.u32_be(segment.checksum(offset, bytes));
  return bytes + check.bytes();
}

bool checksum_holds(std::string_view bytes, const Segment& segment, std::uint64_t offset) {
  auto body = bytes.substr(0, bytes.size() - 4);
  return Decoder(bytes.substr(body.size())).u32_be() == segment.checksum(offset, body);
}

std::uint64_t to_stored(Time time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
Time from_stored(std::uint64_t count) {
  return Time(milliseconds(static_cast<std::int64_t>(count)));
}

}  // namespace

std::string segment_mark(const Segment& segment) {
  Encoder out;
  out.u64_be(segment.header().mark);
  return out.take();
}

std::string encode_group_header(const GroupHeader& header, const Segment& segment,
                                std::uint64_t offset) {
  Encoder out;
  out.u64_be(segment.header().mark);
  out.u8(kGroup);
  out.raw(std::string_view("\0\0\0", 3));
  out.u64_be(header.lsn);
  out.u32_be(header.operations_length);
  out.u32_be(header.operations_crc);
  out.u32_be(header.body_count);
  out.u64_be(header.bodies_length);
  out.u64_be(to_stored(header.written));
  out.raw(std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0", 12));
  return with_checksum(out, segment, offset);
}

Result<GroupHeader> decode_group_header(std::string_view bytes, const Segment& segment,
                                        std::uint64_t offset) {
  if (bytes.size() < GroupHeader::kSize) return fail(ErrorCode::Corrupt, "a group header is cut");
  bytes = bytes.substr(0, GroupHeader::kSize);
  Decoder in(bytes);
  if (in.u64_be() != segment.header().mark || in.u8() != kGroup)
    return fail(ErrorCode::Corrupt, "no group header");
  if (!checksum_holds(bytes, segment, offset))
    return fail(ErrorCode::Corrupt, "a group header's checksum is wrong");
  in.raw(3);
  GroupHeader header;
  header.lsn = in.u64_be();
  header.operations_length = in.u32_be();
  header.operations_crc = in.u32_be();
  header.body_count = in.u32_be();
  header.bodies_length = in.u64_be();
  header.written = from_stored(in.u64_be());
  return header;
}

std::string encode_body_header(const BodyHeader& header, const Segment& segment,
                               std::uint64_t offset) {
  Encoder out;
  out.u64_be(segment.header().mark);
  out.u8(kBody);
  out.u8(static_cast<std::uint8_t>(header.salvage.size()));
  out.raw(std::string_view("\0\0", 2));
  out.u32_be(static_cast<std::uint32_t>(header.frames.size()));
  out.u64_be(header.size);
  out.u64_be(to_stored(header.staged));
  out.raw(header.sha256);
  out.raw(std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0", 12));
  out.raw(header.salvage);
  for (const auto& frame : header.frames) {
    out.u64_be(frame.offset);
    out.u32_be(frame.stored);
    out.u32_be(frame.length);
    out.u32_be(frame.crc);
    out.u8(static_cast<std::uint8_t>(frame.codec));
    out.raw(std::string_view("\0\0\0", 3));
  }
  return with_checksum(out, segment, offset);
}

std::size_t body_header_length(std::string_view fixed, const Segment& segment) {
  if (fixed.size() < BodyHeader::kFixedSize) return 0;
  Decoder in(fixed);
  if (in.u64_be() != segment.header().mark || in.u8() != kBody) return 0;
  std::size_t salvage = in.u8();
  in.raw(2);
  std::size_t frames = in.u32_be();
  // Every frame but the last is full, or a piece of a message that came in small pieces; a body of
  // kMaxBody in pieces of 4 KB has a million.
  if (salvage > kMaxSalvage || frames > (1u << 20)) return 0;
  return BodyHeader::encoded_size(salvage, frames);
}

Result<BodyHeader> decode_body_header(std::string_view bytes, const Segment& segment,
                                      std::uint64_t offset) {
  auto length = body_header_length(bytes, segment);
  if (length == 0) return fail(ErrorCode::Corrupt, "no body header");
  if (bytes.size() < length) return fail(ErrorCode::Corrupt, "a body header is cut off");
  bytes = bytes.substr(0, length);
  if (!checksum_holds(bytes, segment, offset))
    return fail(ErrorCode::Corrupt, "a body header's checksum is wrong");
  Decoder in(bytes);
  in.raw(9);
  std::size_t salvage = in.u8();
  in.raw(2);
  auto frames = in.u32_be();
  BodyHeader header;
  header.size = in.u64_be();
  header.staged = from_stored(in.u64_be());
  header.sha256 = in.raw(32);
  in.raw(12);
  header.salvage = in.raw(salvage);
  header.frames.resize(frames);
  std::uint64_t size = 0;
  for (auto& frame : header.frames) {
    frame.offset = in.u64_be();
    frame.stored = in.u32_be();
    frame.length = in.u32_be();
    frame.crc = in.u32_be();
    auto codec = in.u8();
    in.raw(3);
    frame.codec = static_cast<Codec>(codec);
    if (frame.length == 0 || frame.length > kMaxFrame || frame.stored > frame.length || codec > 1 ||
        frame.offset > (1ull << 62))
      return fail(ErrorCode::Corrupt, "a body's frame table makes no sense");
    size += frame.length;
  }
  if (size != header.size) return fail(ErrorCode::Corrupt, "a body's frames do not make its size");
  return header;
}

EncodedFrame encode_frame(std::string bytes, Codec codec) {
  EncodedFrame encoded;
  encoded.frame.length = static_cast<std::uint32_t>(bytes.size());
  if (codec == Codec::Zstd) {
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    auto size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 1);
    if (!ZSTD_isError(size) && size < bytes.size()) {
      packed.resize(size);
      bytes = std::move(packed);
      encoded.frame.codec = Codec::Zstd;
    }
  }
  encoded.frame.stored = static_cast<std::uint32_t>(bytes.size());
  encoded.frame.crc = crc32c(0, bytes);
  encoded.bytes = std::move(bytes);
  return encoded;
}

Result<void> check_frame(const Frame& frame, std::string_view stored) {
  if (stored.size() != frame.stored || crc32c(0, stored) != frame.crc)
    return fail(ErrorCode::Corrupt, "a body's bytes at {} are not what was written", frame.offset);
  if (frame.codec == Codec::Raw && stored.size() != frame.length)
    return fail(ErrorCode::Corrupt, "a body's frame has a wrong length");
  return {};
}

Result<std::string> decode_frame(const Frame& frame, std::string stored) {
  TRY_DO(check_frame(frame, stored));
  if (frame.codec == Codec::Raw) return stored;
  std::string bytes(std::min<std::size_t>(frame.length, kMaxFrame), '\0');
  auto size = ZSTD_decompress(bytes.data(), bytes.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) || size != frame.length)
    return fail(ErrorCode::Corrupt, "a body's frame cannot be unpacked");
  return bytes;
}

}  // namespace hikyaku::store
