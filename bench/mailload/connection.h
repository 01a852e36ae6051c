// One blocking TCP connection of a mail client that only wants to be fast. Nothing here is the
// program's own, though it has the same: what is measured shall not measure itself, and shall not
// become faster or slower by being changed.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mailload {

/// Where to connect, and from which address ("": the kernel's choice).
struct Peer {
  std::string host;
  int port = 0;
  std::string source;
};

/// What went otherwise than it must: the measurement is worth nothing then.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Connection {
 public:
  /// Throws Failure when nobody listens; every read waits for 120 seconds at most.
  explicit Connection(const Peer& peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&& other) noexcept;

  void send(std::string_view bytes);
  /// The next line without its end.
  std::string line();
  /// A whole SMTP reply; Failure unless its code begins with `expected`. Gives its text.
  std::string reply(std::string_view expected);
  /// IMAP: sends the command and reads up to its tagged OK. Gives the bytes that came; up to
  /// `keep` of them are in kept() afterwards.
  std::uint64_t command(std::string_view text, std::size_t keep = 0);
  /// POP3: reads a multi-line answer with its end. Gives its bytes.
  std::uint64_t multi_line();
  const std::string& kept() const { return kept_; }

 private:
  std::size_t fill();

  int socket_ = -1;
  std::string buffer_;
  std::size_t taken_ = 0;
  std::string kept_;
};

}  // namespace mailload
