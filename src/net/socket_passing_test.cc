#include "net/socket_passing.h"

#include <array>
#include <doctest/doctest.h>
#include <sys/socket.h>

namespace hikyaku::net {
namespace {

std::pair<UniqueFd, UniqueFd> pair_of(int type) {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST_CASE("a socket that was passed on is the same connection, until the channel ends") {
  auto [ours, theirs] = pair_of(SOCK_SEQPACKET);
  auto [near, far] = pair_of(SOCK_STREAM);
  CHECK(send_socket(ours.get(), far).has_value());
  far.reset();
  auto got = receive_socket(theirs.get());
  REQUIRE(got);
  CHECK(write_all(got.get(), "x"));
  char byte = 0;
  CHECK(::read(near.get(), &byte, 1) == 1);
  CHECK(byte == 'x');
  ours.reset();
  CHECK_FALSE(receive_socket(theirs.get()));
}

TEST_CASE("nobody takes a socket when the other end has gone") {
  auto [ours, theirs] = pair_of(SOCK_SEQPACKET);
  auto [near, far] = pair_of(SOCK_STREAM);
  theirs.reset();
  auto sent = send_socket(ours.get(), far);
  REQUIRE_FALSE(sent);
  CHECK(sent.error().code == ErrorCode::Unavailable);
}

}  // namespace
}  // namespace hikyaku::net
