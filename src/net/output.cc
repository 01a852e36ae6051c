#include "net/output.h"

#include <utility>

namespace hikyaku::net {
namespace {

/// A buffer up to this size is kept for the next replies; it is less than a kilobyte.
constexpr std::size_t kKeep = 512;

}  // namespace

Task<void> Output::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() < kFlushAt) {
    buffer_.append(bytes);
    co_return;
  }
  // Fill the piece that waits, so that it goes out whole; then the rest from where it lies.
  if (!buffer_.empty()) {
    auto head = bytes.substr(0, kFlushAt - std::min(kFlushAt, buffer_.size()));
    buffer_.append(head);
    bytes.remove_prefix(head.size());
    co_await flush();
  }
  if (bytes.size() >= kFlushAt)
    co_await stream_.write(bytes);
  else
    buffer_.append(bytes);
}

Task<void> Output::flush() {
  if (buffer_.empty()) co_return;
  // Taken out first: if the peer is gone, nothing is left that a later flush would send again.
  auto bytes = std::exchange(buffer_, {});
  co_await stream_.write(bytes);
  if (buffer_.empty() && bytes.capacity() <= kKeep) {
    bytes.clear();
    buffer_ = std::move(bytes);
  }
}

}  // namespace hikyaku::net
