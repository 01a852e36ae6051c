// Input: what was read from a Stream and not yet used. Holds a buffer only while there are such
// bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/task.h"
#include "base/turn.h"
#include "net/stream.h"

namespace hikyaku::net {

/// Read-ahead for one Stream (which must outlive it). An idle connection costs no buffer: buffers
/// of kBufferSize come from a pool per event loop and go back when empty. Drivers feed
/// `available()` to their parsers and `consume` what those took; a parser that needs more bytes
/// keeps what it has seen itself.
class Input {
 public:
  static constexpr std::size_t kBufferSize = 16 * 1024;

  explicit Input(Stream& stream);
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input();

  /// The unread bytes; valid until the next call of anything else here.
  std::string_view available() const;
  void consume(std::size_t count);

  /// What ended fill().
  enum class Filled {
    Bytes,  ///< available() is longer than before
    End,    ///< the peer sends nothing more
    Woken,  ///< Stream::wake() was called
  };
  /// Waits for more bytes. The unread ones stay in front; with kBufferSize unread bytes it is a
  /// defect to call it.
  Task<Filled> fill();
  /// More bytes if they are there already and this connection's turn is not over, without waiting.
  /// True if available() grew. Drivers flush their replies only when this is false (pipelining).
  bool fill_now();

  /// Whether the peer, which may always have its next bytes there already, has had the loop for
  /// long enough. Drivers ask between two commands: one that nothing makes wait would hold up all
  /// other sessions of the loop, and nobody could end it.
  bool turn_is_over() const { return turn_.is_over(); }
  /// Lets the others run. Throws what ends this session, if it has come meanwhile (Stream::check).
  Task<void> end_turn();

  /// What it holds now.
  std::size_t memory() const { return buffer_ ? kBufferSize : 0; }

  /// Forgets the unread bytes: at STARTTLS, what came in clear must not be taken for what came
  /// under TLS.
  void drop();

 private:
  std::optional<std::size_t> read();

  Stream& stream_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t used_ = 0;  ///< the most that end_ was with this buffer
  Turn turn_;             ///< since it last waited, or let the others run
};

}  // namespace hikyaku::net
