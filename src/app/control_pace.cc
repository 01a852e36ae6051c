#include "app/control_pace.h"

#include <unistd.h>
#include <utility>

#include "app/control.h"
#include "base/completion.h"
#include "base/time.h"

namespace hikyaku::app {
namespace {

constexpr int kLooks = 4;

Task<void> all_ended(Gate& gate) {
  Completion<bool> ended;
  gate.close([give = ended.giver()]() mutable { give(true); });
  co_await ended;
}

}  // namespace

Error no_answer_of(std::int32_t process, std::chrono::milliseconds silence) {
  auto waited = format_duration(silence);
  // The other end of a pair of sockets is vouched for as who has made the pair.
  if (process == 0 || process == ::getpid())
    return {ErrorCode::Unavailable,
            fmt::format("the process that was asked does not answer: nothing has come from it for "
                        "{}. What was asked for may still be done.",
                        waited),
            nullptr};
  return {
      ErrorCode::Unavailable,
      fmt::format("process {} does not answer: nothing has come from the server for {}. If it "
                  "was stopped: kill -CONT {}. Otherwise see its log, then start it again: "
                  "systemctl restart hikyaku, or, if it is no service of systemd, kill -KILL {} "
                  "and hikyaku serve (no mail that was accepted is lost). What was asked for "
                  "may still be done.",
                  process, waited, process, process),
      nullptr};
}

Task<void> Speaker::end() {
  ended_ = true;
  due_.wake();
  co_await all_ended(gate_);
}

void Speaker::check_client() const {
  if (stream_.peer_side() == net::PeerSide::Gone)
    throw net::Disconnected(net::Disconnected::Why::Closed, "whoever asked has gone");
}

Task<void> Speaker::write(std::string line) {
  while (writing_) co_await written_.wait();
  struct Writing {
    explicit Writing(bool& set) : flag(set) { flag = true; }
    ~Writing() { flag = false; }
    bool& flag;
  } writing(writing_);
  co_await stream_.write(line);
}

Task<void> Speaker::say_working() {
  auto line = encode_control_line(ControlWorking{}) + '\n';
  while (true) {
    co_await due_.wait(every_);
    if (ended_) co_return;
    if (listening_ || writing_) continue;
    writing_ = true;
    try {
      co_await stream_.write(line);
    } catch (const net::Disconnected&) {
      // Whoever asked has gone; the command learns it when it has something to say.
      ended_ = true;
    }
    writing_ = false;
    written_.wake();
    if (ended_) co_return;
  }
}

SilenceWatch::SilenceWatch(net::Stream& stream, std::chrono::milliseconds limit)
    : stream_(stream), limit_(limit) {
  if (auto process = stream.peer_process()) process_ = process->pid;
}

Task<void> SilenceWatch::end() {
  ended_ = true;
  due_.wake();
  co_await all_ended(gate_);
}

Task<void> SilenceWatch::watch() {
  auto moved = [&] { return std::pair(stream_.bytes_in(), stream_.bytes_out()); };
  auto before = moved();
  for (int quiet = 0; quiet < kLooks;) {
    co_await due_.wait(limit_ / kLooks);
    if (ended_) co_return;
    auto now = moved();
    quiet = now == std::exchange(before, now) ? quiet + 1 : 0;
  }
  gave_up_ = true;
  stream_.close();
}

}  // namespace hikyaku::app
