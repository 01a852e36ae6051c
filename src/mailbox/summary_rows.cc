#include "mailbox/summary_rows.h"

#include <algorithm>

#include "base/codec.h"

namespace hikyaku::mailbox {

namespace {

/// a - b for numbers of 64 bits, in a form that adding brings back.
std::int64_t minus(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b);
}

std::uint64_t plus(std::uint64_t a, std::int64_t difference) {
  return a + static_cast<std::uint64_t>(difference);
}

}  // namespace

template <std::uint32_t Width>
MessageSummary* SummaryGroupOf<Width>::find(Uid uid) {
  for (auto& row : rows())
    if (row.uid == uid) return &row;
  return nullptr;
}

template <std::uint32_t Width>
void SummaryGroupOf<Width>::put(const MessageSummary& row) {
  auto at = count_;
  while (at > 0 && rows_[at - 1].uid > row.uid) --at;
  if (at > 0 && rows_[at - 1].uid == row.uid) {
    rows_[at - 1] = row;
    return;
  }
  for (auto i = count_; i > at; --i) rows_[i] = rows_[i - 1];
  rows_[at] = row;
  ++count_;
}

template <std::uint32_t Width>
void SummaryGroupOf<Width>::remove(Uid uid) {
  auto left = std::remove_if(rows_.begin(), rows_.begin() + count_,
                             [&](const MessageSummary& row) { return row.uid == uid; });
  count_ = static_cast<std::uint32_t>(left - rows_.begin());
}

template <std::uint32_t Width>
std::string SummaryGroupOf<Width>::encode(Uid base) const {
  Encoder out;
  std::uint64_t mask = 0;
  ChangeNumber lowest = UINT64_MAX;
  for (const auto& row : rows()) {
    mask |= std::uint64_t{1} << (Width - 1 - (row.uid - base));
    lowest = std::min(lowest, row.changed);
  }
  for (int shift = Width - 8; shift >= 0; shift -= 8)
    out.u8(static_cast<std::uint8_t>(mask >> shift));
  if (empty()) lowest = 0;
  out.varint(lowest);
  std::uint64_t received = 0;
  EmailId email = 0;
  for (const auto& row : rows()) {
    auto row_received = static_cast<std::uint64_t>(row.received.time_since_epoch().count());
    out.varint(row.flags);
    out.varint(row.changed - lowest);
    out.varint(row.size);
    out.svarint(minus(row_received, received));
    out.svarint(minus(row.email, email));
    out.svarint(minus(row.email, row.thread));
    received = row_received;
    email = row.email;
  }
  return out.take();
}

template <std::uint32_t Width>
bool SummaryGroupOf<Width>::decode(std::string_view bytes, Uid base) {
  Decoder in(bytes);
  count_ = 0;
  std::uint64_t mask = 0;
  for (std::uint32_t i = 0; i < Width / 8; ++i) mask = mask << 8 | in.u8();
  auto lowest = in.varint();
  std::uint64_t received = 0;
  EmailId email = 0;
  for (std::uint32_t bit = 0; bit < Width; ++bit) {
    if (!(mask >> (Width - 1 - bit) & 1)) continue;
    auto& row = rows_[count_++];
    row.uid = base + bit;
    row.flags = in.varint();
    row.changed = lowest + in.varint();
    row.size = in.varint();
    received = plus(received, in.svarint());
    row.received = Time(milliseconds(static_cast<std::int64_t>(received)));
    email = plus(email, in.svarint());
    row.email = email;
    row.thread = email - static_cast<std::uint64_t>(in.svarint());
  }
  if (in.failed()) count_ = 0;
  return !in.failed();
}

template class SummaryGroupOf<16>;
template class SummaryGroupOf<32>;
template class SummaryGroupOf<64>;

}  // namespace hikyaku::mailbox
