// Keys: account, table, then the table's own fields in forms that sort as their values do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/codec.h"
#include "store/store.h"

namespace hikyaku::store {

/// A table's tag, the byte behind the account. Each directory has a range of its own and lists its
/// tables in one header:
///   0x01–0x0F store   0x10–0x3F mailbox   0x40–0x4F auth   0x50–0x5F queue   0x60–0x6F story
///   0x70–0x7F reports 0x80–0x8F search    0x90–0x9F junk   0xA0–0xAF others
using Table = std::uint8_t;

/// Builds a key: `Key(account, kMessage).u32(mailbox).u32(uid).bytes()`.
class Key {
 public:
  Key(AccountId account, Table table) {
    encoder_.u32_be(account);
    encoder_.u8(table);
  }
  Key& u8(std::uint8_t value) { return encoder_.u8(value), *this; }
  Key& u32(std::uint32_t value) { return encoder_.u32_be(value), *this; }
  Key& u64(std::uint64_t value) { return encoder_.u64_be(value), *this; }
  /// The bytes as they are: only as the last field, or of a fixed length.
  Key& raw(std::string_view value) { return encoder_.raw(value), *this; }
  /// A text that other fields follow: NUL-terminated, so it must not contain NUL.
  Key& text(std::string_view value) {
    encoder_.raw(value);
    encoder_.u8(0);
    return *this;
  }

  const std::string& bytes() const { return encoder_.bytes(); }
  operator std::string_view() const { return encoder_.bytes(); }

  /// Every key that begins with this one.
  KeyRange children() const;

 private:
  Encoder encoder_;
};

/// The key behind every key that begins with `prefix` (which is not all 0xFF).
std::string prefix_end(std::string_view prefix);

/// The fields of a key behind its account and table.
Decoder key_fields(std::string_view key);

}  // namespace hikyaku::store
