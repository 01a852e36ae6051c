#include "net/input.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "base/async.h"
#include "crypto/secret.h"

namespace hikyaku::net {
namespace {

/// Buffers that nobody uses, per thread (an event loop is a thread).
constexpr std::size_t kSpareBuffers = 64;
thread_local std::vector<std::unique_ptr<char[]>> spare;

std::unique_ptr<char[]> take_buffer() {
  if (spare.empty()) return std::make_unique_for_overwrite<char[]>(Input::kBufferSize);
  auto buffer = std::move(spare.back());
  spare.pop_back();
  return buffer;
}

/// `used`: how much of it was ever written. The next connection's buffer, or memory that anybody
/// gets, must not hold a password (nor mail) of this one.
void give_back(std::unique_ptr<char[]> buffer, std::size_t used) {
  if (!buffer) return;
  crypto::wipe(std::span(buffer.get(), used));
  if (spare.size() < kSpareBuffers) spare.push_back(std::move(buffer));
}

}  // namespace

Input::Input(Stream& stream) : stream_(stream) {}

Input::~Input() {
  give_back(std::move(buffer_), std::exchange(used_, 0));
}

std::string_view Input::available() const {
  return {buffer_.get() + begin_, end_ - begin_};
}

void Input::consume(std::size_t count) {
  assert(count <= end_ - begin_);
  begin_ += count;
  if (begin_ == end_) drop();
}

void Input::drop() {
  begin_ = end_ = 0;
  give_back(std::move(buffer_), std::exchange(used_, 0));
}

std::optional<std::size_t> Input::read() {
  assert(end_ - begin_ < kBufferSize && "the parser must take something first");
  if (!buffer_) buffer_ = take_buffer();
  if (begin_ > 0 && end_ == kBufferSize) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  std::optional<std::size_t> count;
  try {
    count = stream_.try_read({buffer_.get() + end_, kBufferSize - end_});
  } catch (...) {
    if (begin_ == end_) drop();
    throw;
  }
  if (count) end_ += *count;
  used_ = std::max(used_, end_);
  if (begin_ == end_) drop();
  return count;
}

Task<void> Input::end_turn() {
  co_await yield_now();
  turn_.begin();
  stream_.check();
}

Task<Input::Filled> Input::fill() {
  if (turn_is_over()) co_await end_turn();
  while (true) {
    if (auto count = read()) co_return *count > 0 ? Filled::Bytes : Filled::End;
    auto woken = co_await stream_.wait_readable() == Wake::Woken;
    turn_.begin();
    if (woken) co_return Filled::Woken;
  }
}

bool Input::fill_now() {
  if (end_ - begin_ == kBufferSize || turn_is_over()) return false;
  auto count = read();
  return count && *count > 0;
}

}  // namespace hikyaku::net
