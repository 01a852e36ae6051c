#include <algorithm>
#include <cassert>

#include "net/readiness_internal.h"
#include "net/stream.h"

namespace hikyaku::net {

Readiness::Readiness(Core& core, UniqueFd fd)
    : core_(core),
      share_(core),
      descriptor_(core.io(), fd.get()),
      fd_(fd.release()),
      per_wait_(Stream::kDefaultTimeout) {}

void Readiness::close() {
  if (closed_) return;
  closed_ = true;
  timer_ = nullptr;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  end_later(read_, Outcome::Closed);
  end_later(write_, Outcome::Closed);
}

void Readiness::wake() {
  if (woken_) return;
  woken_ = true;
  if (!read_.waiting || !read_.waiting->wakeable_) return;
  core_.post([self = shared_from_this()] {
    if (!self->woken_ || !self->read_.waiting || !self->read_.waiting->wakeable_) return;
    self->woken_ = false;
    self->end(self->read_, Outcome::Woken);
  });
}

void Readiness::shut_down(std::chrono::nanoseconds grace) {
  if (shutting_down_) return;
  shutting_down_ = true;
  write_until_ = Clock::now() + grace;
  end_later(read_, Outcome::Shutdown);
  if (write_.waiting) {
    write_.waiting->deadline_ = std::min(write_.waiting->deadline_, *write_until_);
    set_timer(write_.waiting->deadline_);
  }
}

void Readiness::set_total_timeout(std::chrono::nanoseconds total) {
  total_deadline_.reset();
  if (total > std::chrono::nanoseconds::zero()) total_deadline_ = Clock::now() + total;
}

bool Readiness::ended_already(Direction& direction, bool wakeable, Outcome& outcome) {
  assert(!direction.waiting && "two coroutines wait for the same direction");
  if (closed_) {
    outcome = Outcome::Closed;
    return true;
  }
  if (shutting_down_ && &direction == &read_) {
    outcome = Outcome::Shutdown;
    return true;
  }
  if (wakeable && std::exchange(woken_, false)) {
    outcome = Outcome::Woken;
    return true;
  }
  if (std::exchange(direction.ready, false)) {
    outcome = Outcome::Ready;
    return true;
  }
  return false;
}

void Readiness::begin(Direction& direction, Wait& wait) {
  wait.deadline_ = deadline(direction);
  direction.waiting = &wait;
  set_timer(wait.deadline_);
  if (!direction.armed) arm(direction);
}

Readiness::Moment Readiness::deadline(const Direction& direction) const {
  auto result = Clock::now() + per_wait_;
  if (total_deadline_) result = std::min(result, *total_deadline_);
  if (write_until_ && &direction == &write_) result = std::min(result, *write_until_);
  return result;
}

void Readiness::arm(Direction& direction) {
  direction.armed = true;
  descriptor_.async_wait(direction.type, [self = shared_from_this(),
                                          &direction](const boost::system::error_code& error) {
    direction.armed = false;
    if (error == asio::error::operation_aborted) return;  // closed: who waits is told elsewhere
    // Any other error will be seen by the read or write that follows.
    if (direction.waiting)
      self->end(direction, Outcome::Ready);
    else
      direction.ready = true;
  });
}

void Readiness::end(Direction& direction, Outcome outcome) {
  auto* wait = std::exchange(direction.waiting, nullptr);
  if (!wait) return;
  wait->outcome_ = outcome;
  wait->handle_.resume();
}

void Readiness::end_later(Direction& direction, Outcome outcome) {
  if (!direction.waiting) return;
  core_.post([self = shared_from_this(), &direction, outcome] { self->end(direction, outcome); });
}

void Readiness::set_timer(Moment deadline) {
  if (timer_ && timer_at_ <= deadline) return;
  timer_at_ = deadline;
  timer_ = core_.after(deadline - Clock::now(), [this] { on_timer(); });
}

void Readiness::on_timer() {
  auto self = shared_from_this();  // a resumed coroutine may drop the last owner
  timer_ = nullptr;
  auto now = Clock::now();
  expire(read_, now);
  expire(write_, now);
  if (closed_) return;
  if (read_.waiting) set_timer(read_.waiting->deadline_);
  if (write_.waiting) set_timer(write_.waiting->deadline_);
}

void Readiness::expire(Direction& direction, Moment now) {
  if (!direction.waiting || direction.waiting->deadline_ > now) return;
  bool at_shutdown = write_until_ && &direction == &write_ && now >= *write_until_;
  end(direction, at_shutdown ? Outcome::Shutdown : Outcome::Timeout);
}

}  // namespace hikyaku::net
