#include "net/input.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <ctime>
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

/// The time as of the kernel's last tick (1 to 10 ms): costs a fraction of a look at the clock
/// itself, which is a tenth of a small command.
std::chrono::nanoseconds tick() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

Input::Input(Stream& stream) : stream_(stream), turn_began_(tick()) {}

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

bool Input::turn_is_over() const {
  return tick() - turn_began_ >= kTurn;
}

Task<void> Input::end_turn() {
  co_await yield_now();
  turn_began_ = tick();
  stream_.check();
}

Task<Input::Filled> Input::fill() {
  if (turn_is_over()) co_await end_turn();
  while (true) {
    if (auto count = read()) co_return *count > 0 ? Filled::Bytes : Filled::End;
    auto woken = co_await stream_.wait_readable() == Wake::Woken;
    turn_began_ = tick();
    if (woken) co_return Filled::Woken;
  }
}

bool Input::fill_now() {
  if (end_ - begin_ == kBufferSize || turn_is_over()) return false;
  auto count = read();
  return count && *count > 0;
}

}  // namespace hikyaku::net
