// What stands in segments: record groups and bodies. Pure: bytes to values and back.
// docs/storage.md has every field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "store/segment.h"

namespace hikyaku::store {

/// A body is cut into frames of at most so many bytes; each can be read and checked alone.
inline constexpr std::size_t kMaxFrame = 128 * 1024;
/// Beside a body, for rebuilding.
inline constexpr std::size_t kMaxSalvage = 200;
/// The longest body: what 32 bits of frames' table entries hold, and far above any message.
inline constexpr std::uint64_t kMaxBody = 4ull << 30;

/// One group of transactions: this header, then its bodies, then its operation list.
struct GroupHeader {
  Lsn lsn = 0;
  std::uint32_t operations_length = 0;
  std::uint32_t operations_crc = 0;
  std::uint32_t body_count = 0;
  std::uint64_t bodies_length = 0;
  Time written{};

  static constexpr std::size_t kSize = 64;
  std::uint64_t length() const { return kSize + operations_length + bodies_length; }
};

std::string encode_group_header(const GroupHeader& header, const Segment& segment,
                                std::uint64_t offset);
/// Corrupt unless `bytes` (kSize of them, read at `offset`) are a group header of this segment.
Result<GroupHeader> decode_group_header(std::string_view bytes, const Segment& segment,
                                        std::uint64_t offset);

enum class Codec : std::uint8_t { Raw = 0, Zstd = 1 };

/// A piece of a body as it is stored.
struct Frame {
  std::uint64_t offset = 0;  ///< in the segment
  std::uint32_t stored = 0;  ///< bytes there
  std::uint32_t length = 0;  ///< bytes of the body in it; kMaxFrame at most
  std::uint32_t crc = 0;     ///< of the stored bytes, unseeded: this table is what vouches for it
  Codec codec = Codec::Raw;

  static constexpr std::size_t kSize = 24;
};

/// Stands before a body's frames in a group, behind them in a bulk segment.
struct BodyHeader {
  std::uint64_t size = 0;
  Time staged{};
  std::string sha256;   ///< 32 bytes
  std::string salvage;  ///< at most kMaxSalvage
  std::vector<Frame> frames;

  static constexpr std::size_t kFixedSize = 80;
  static std::size_t encoded_size(std::size_t salvage, std::size_t frames) {
    return kFixedSize + salvage + frames * Frame::kSize;
  }
  std::size_t encoded_size() const { return encoded_size(salvage.size(), frames.size()); }
};

std::string encode_body_header(const BodyHeader& header, const Segment& segment,
                               std::uint64_t offset);
/// Corrupt unless `bytes` begin with a whole body header of this segment at `offset`; bytes behind
/// it are ignored.
Result<BodyHeader> decode_body_header(std::string_view bytes, const Segment& segment,
                                      std::uint64_t offset);
/// The whole length of a body header from its first kFixedSize bytes; 0 if they are none.
std::size_t body_header_length(std::string_view fixed, const Segment& segment);

/// The first 8 bytes of every header in the segment.
std::string segment_mark(const Segment& segment);

/// Bytes of a body as a frame of the given codec (Raw again if that would not be smaller).
struct EncodedFrame {
  std::string bytes;
  Frame frame;  ///< but for its offset
};
EncodedFrame encode_frame(std::string bytes, Codec codec);
/// Whether these are the bytes that were stored. Corrupt.
Result<void> check_frame(const Frame& frame, std::string_view stored);
/// Checks and unpacks the stored bytes of a frame. Corrupt.
Result<std::string> decode_frame(const Frame& frame, std::string stored);

}  // namespace hikyaku::store
