// The written form of our own stored values and keys: small, fast, bounds-checked, forward
// compatible.
//
// Values are a sequence of fields in a fixed order; new fields are only ever added at the end, and
// a reader that meets the end early gets defaults (Reader::at_end). Keys must sort, so they use the
// fixed big-endian forms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hikyaku {

/// Appends encoded fields to a string.
class Encoder {
 public:
  void u8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void u32_be(std::uint32_t value);  ///< sorts as the number does: for keys
  void u64_be(std::uint64_t value);
  void varint(std::uint64_t value);   ///< LEB128, 1 to 10 bytes
  void svarint(std::int64_t value);   ///< zig-zag LEB128
  void text(std::string_view value);  ///< length as varint, then the bytes
  void raw(std::string_view value) {
    bytes_.append(value);
  }  ///< the bytes alone (last field, or fixed width)

  const std::string& bytes() const& { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads the same fields back. Reading past the end or a malformed number sets `failed`, and gives
/// zeros and empty texts from then on; check it once at the end. `text` points into the input.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : left_(bytes) {}

  std::uint8_t u8();
  std::uint32_t u32_be();
  std::uint64_t u64_be();
  std::uint64_t varint();
  std::int64_t svarint();
  std::string_view text();
  std::string_view raw(std::size_t count);
  std::string_view rest();

  bool at_end() const { return left_.empty(); }
  bool failed() const { return failed_; }
  std::size_t remaining() const { return left_.size(); }

 private:
  void fail();

  std::string_view left_;
  bool failed_ = false;
};

}  // namespace hikyaku
