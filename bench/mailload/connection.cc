#include "connection.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace mailload {
namespace {

constexpr std::string_view kTag = "zq7";
constexpr std::size_t kPiece = 256 << 10;

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    throw Failure("not an IPv4 address: " + host);
  return address;
}

}  // namespace

Connection::Connection(const Peer& peer) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  timeval patience{.tv_sec = 120, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  auto bound = true;
  if (!peer.source.empty()) {
    auto from = address_of(peer.source, 0);
    bound = ::bind(socket_, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0;
  }
  auto to = address_of(peer.host, peer.port);
  if (bound && ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) return;
  auto why = std::string(std::strerror(errno));
  ::close(socket_);
  throw Failure("cannot connect to " + peer.host + " port " + std::to_string(peer.port) + ": " +
                why);
}

Connection::~Connection() {
  if (socket_ >= 0) ::close(socket_);
}

Connection::Connection(Connection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      buffer_(std::move(other.buffer_)),
      taken_(other.taken_) {}

void Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw Failure(std::string("sending failed: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Reads once, behind what is there; what was taken is dropped.
std::size_t Connection::fill() {
  buffer_.erase(0, taken_);
  taken_ = 0;
  auto before = buffer_.size();
  ssize_t got = 0;
  buffer_.resize_and_overwrite(before + kPiece, [&](char* data, std::size_t) {
    got = ::recv(socket_, data + before, kPiece, 0);
    return before + static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  });
  if (got == 0) throw Failure("the server closed the connection");
  if (got < 0) throw Failure(std::string("reading failed: ") + std::strerror(errno));
  return static_cast<std::size_t>(got);
}

std::string Connection::line() {
  while (true) {
    auto end = buffer_.find("\r\n", taken_);
    if (end != std::string::npos) {
      auto text = buffer_.substr(taken_, end - taken_);
      taken_ = end + 2;
      return text;
    }
    fill();
  }
}

std::string Connection::reply(std::string_view expected) {
  std::string whole;
  while (true) {
    auto one = line();
    auto last = one.size() < 4 || one[3] != '-';
    whole += one + "\n";
    if (!last) continue;
    if (!one.starts_with(expected)) throw Failure("the server said: " + whole);
    return whole;
  }
}

std::uint64_t Connection::command(std::string_view text, std::size_t keep) {
  send(std::string(kTag) + " " + std::string(text) + "\r\n");
  kept_.clear();
  std::uint64_t bytes = 0;
  std::string tail;
  while (true) {
    if (taken_ == buffer_.size()) fill();
    auto piece = std::string_view(buffer_).substr(taken_);
    taken_ = buffer_.size();
    bytes += piece.size();
    if (kept_.size() < keep) kept_.append(piece.substr(0, keep - kept_.size()));
    tail.append(piece.substr(piece.size() - std::min<std::size_t>(piece.size(), 1000)));
    if (tail.size() > 1000) tail.erase(0, tail.size() - 1000);
    if (!tail.ends_with("\r\n")) continue;
    auto start = tail.rfind("\r\n", tail.size() - 3);
    auto last = tail.substr(start == std::string::npos ? 0 : start + 2);
    if (!last.starts_with(kTag)) continue;
    if (!last.substr(kTag.size()).starts_with(" OK"))
      throw Failure(std::string(text.substr(0, 60)) + ": " + last);
    return bytes;
  }
}

std::uint64_t Connection::multi_line() {
  auto first = line();
  if (!first.starts_with("+OK")) throw Failure("the server said: " + first);
  std::uint64_t bytes = 0;
  while (true) {
    auto end = std::string_view(buffer_).substr(taken_).find("\r\n.\r\n");
    if (end != std::string::npos) {
      taken_ += end + 5;
      return bytes + end + 2;
    }
    // All but what may be the beginning of the end can go.
    auto rest = buffer_.size() - taken_;
    if (rest > 4) {
      bytes += rest - 4;
      taken_ = buffer_.size() - 4;
    }
    fill();
  }
}

}  // namespace mailload
