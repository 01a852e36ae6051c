// Summary rows: what a view needs of a message, packed for kGroup messages with neighbouring UIDs
// in one row. A mailbox of 100,000 opens from 3,125 rows, and a STORE of 10,000 writes 313.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mailbox/types.h"

namespace hikyaku::mailbox {

/// Up to `Width` messages with UIDs [base, base + Width), in UID order.
template <std::uint32_t Width>
class SummaryGroupOf {
 public:
  static_assert(Width == 16 || Width == 32 || Width == 64);

  std::span<MessageSummary> rows() { return {rows_.data(), count_}; }
  std::span<const MessageSummary> rows() const { return {rows_.data(), count_}; }
  bool empty() const { return count_ == 0; }
  /// nullptr if there is none.
  MessageSummary* find(Uid uid);
  /// Adds it, or takes its place. Its UID must be in the group.
  void put(const MessageSummary& row);
  void remove(Uid uid);

  /// Width / 8 bytes: which UIDs there are, the first in the highest bit; varint the lowest change
  /// number; for each message: varint flags, varint change - lowest, varint size, svarint received
  /// (ms since 1970; behind the first: minus that of the one before), svarint email (the same way),
  /// svarint email - thread.
  std::string encode(Uid base) const;
  /// False for bytes that encode() does not write.
  bool decode(std::string_view bytes, Uid base);

 private:
  std::array<MessageSummary, Width> rows_;
  std::uint32_t count_ = 0;
};

extern template class SummaryGroupOf<16>;
extern template class SummaryGroupOf<32>;
extern template class SummaryGroupOf<64>;

/// Messages in a row. Measured in docs/data-model.md.
inline constexpr std::uint32_t kGroup = 32;
using SummaryGroup = SummaryGroupOf<kGroup>;

constexpr std::uint32_t group_of(Uid uid) {
  return uid / kGroup;
}
constexpr Uid base_of(std::uint32_t group) {
  return group * kGroup;
}

}  // namespace hikyaku::mailbox
