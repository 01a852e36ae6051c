#include "base/codec.h"

namespace hikyaku {

void Encoder::u32_be(std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) u8(static_cast<std::uint8_t>(value >> shift));
}

void Encoder::u64_be(std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) u8(static_cast<std::uint8_t>(value >> shift));
}

void Encoder::varint(std::uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<std::uint8_t>(value));
}

void Encoder::svarint(std::int64_t value) {
  varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

void Encoder::text(std::string_view value) {
  varint(value.size());
  raw(value);
}

void Decoder::fail() {
  failed_ = true;
  left_ = {};
}

std::string_view Decoder::raw(std::size_t count) {
  if (count > left_.size()) {
    fail();
    return {};
  }
  auto bytes = left_.substr(0, count);
  left_.remove_prefix(count);
  return bytes;
}

std::uint8_t Decoder::u8() {
  auto bytes = raw(1);
  return bytes.empty() ? 0 : static_cast<std::uint8_t>(bytes[0]);
}

std::uint32_t Decoder::u32_be() {
  std::uint32_t value = 0;
  for (char c : raw(4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::uint64_t Decoder::u64_be() {
  std::uint64_t value = 0;
  for (char c : raw(8)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::uint64_t Decoder::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (left_.empty()) break;
    auto byte = u8();
    // The tenth byte may only carry the one bit that is left.
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail();
  return 0;
}

std::int64_t Decoder::svarint() {
  auto value = varint();
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

std::string_view Decoder::text() {
  auto size = varint();
  if (failed_) return {};
  if (size > left_.size()) {
    fail();
    return {};
  }
  return raw(static_cast<std::size_t>(size));
}

std::string_view Decoder::rest() {
  return raw(left_.size());
}

}  // namespace hikyaku
