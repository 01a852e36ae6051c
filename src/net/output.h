// Output: what is to be written to a Stream, gathered into large pieces.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/task.h"
#include "net/stream.h"

namespace hikyaku::net {

/// The write buffer of one driver. `append` never waits; drivers flush when no complete command is
/// pending in their Input (pipelining) and before they wait for anything else. An idle connection
/// costs no buffer. The Stream must outlive it.
class Output {
 public:
  /// From this many bytes on, write() sends.
  static constexpr std::size_t kFlushAt = 16 * 1024;

  explicit Output(Stream& stream) : stream_(stream) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Adds bytes without sending. For replies of bounded size; larger data goes through write().
  void append(std::string_view bytes) { buffer_.append(bytes); }
  /// The buffer itself, for writers that append to a string. Valid until the next flush or write.
  std::string& buffer() { return buffer_; }
  /// Adds bytes, and sends once kFlushAt are gathered; waits for a slow peer then. Large pieces go
  /// out without being copied: the caller keeps them until it returns.
  Task<void> write(std::string_view bytes);
  /// Sends all.
  Task<void> flush();
  /// True when append() was used so much that a flush is due.
  bool full() const { return buffer_.size() >= kFlushAt; }

  bool empty() const { return buffer_.empty(); }
  std::size_t size() const { return buffer_.size(); }
  std::size_t memory() const { return buffer_.capacity(); }
  /// Forgets what was not sent.
  void drop() { buffer_.clear(); }

 private:
  Stream& stream_;
  std::string buffer_;
};

}  // namespace hikyaku::net
