#include "app/watch.h"

#include <algorithm>
#include <malloc.h>

#include "app/names_needed.h"
#include "base/async.h"
#include "queue/queue.h"
#include "store/ballast.h"
#include "store/store_files.h"

namespace hikyaku::app {
namespace {

constexpr std::chrono::seconds kEvery{5};
constexpr std::chrono::seconds kDiskEvery{1};
/// Looking takes at most this share of the time: a queue of a million is looked at less often.
constexpr int kShare = 50;
constexpr std::size_t kPiece = 500;

}  // namespace

void Watch::start() {
  gate_.spawn(run());
  gate_.spawn(look_at_disk());
  gate_.spawn(look_at_space());
}

void Watch::stop(Callback stopped) {
  stopping_ = true;
  given_up_.cancel();
  wakeup_.wake();
  disk_wakeup_.wake();
  space_wakeup_.wake();
  gate_.close(std::move(stopped));
}

Watch::Seen Watch::seen() const {
  std::lock_guard lock(mutex_);
  return seen_;
}

Task<void> Watch::run() {
  while (!stopping_) {
    auto began = std::chrono::steady_clock::now();
    co_await rounds_.run(look_at_queue());
    co_await rounds_.run(look_at_journal());
    co_await rounds_.run(look_at_resolver());
    co_await rounds_.run(look_at_memory());
    services_.metrics.transmit_connections.set(
        static_cast<std::int64_t>(services_.transmitter.connections()));
    auto took = std::chrono::steady_clock::now() - began;
    if (stopping_) co_return;
    co_await wakeup_.wait(std::max<std::chrono::nanoseconds>(kEvery, took * kShare));
  }
}

/// By itself: the other looks wait for the disk.
Task<void> Watch::look_at_disk() {
  while (!stopping_) {
    hung_disk_.look(services_.core.store().write_under_way(), std::chrono::steady_clock::now());
    co_await disk_wakeup_.wait(kDiskEvery);
  }
}

/// On a worker, and by itself: a disk that hangs may not even say how much is free.
Task<void> Watch::look_at_space() {
  while (!stopping_) {
    auto& core = services_.core;
    auto space = co_await run_on(core.workers(), [path = core.instance().data] {
      std::error_code error;
      auto space = std::filesystem::space(path, error);
      return error ? std::optional<std::uint64_t>() : space.available;
    });
    auto needed = std::max<std::uint64_t>(core.config().store.reserve.count, needed_for_ballast());
    if (space) full_disk_.look(*space, needed, std::chrono::steady_clock::now());
    if (!stopping_) co_await space_wakeup_.wait(kDiskEvery);
  }
}

/// Where what was kept for a full disk is used up, mail waits until there is room for it again.
std::uint64_t Watch::needed_for_ballast() const {
  auto store = services_.core.store().statistics();
  bool missing = store.ballast_bytes == 0 && store.ballast_wanted != 0 && store.read_only.empty();
  return missing ? store::Ballast::kRoom : 0;
}

Task<void> Watch::look_at_queue() {
  Seen found;
  auto now = services_.core.clock().now();
  queue::MessageId after = 0;
  while (!stopping_) {
    auto piece = co_await services_.core.store().read(
        [after](store::Reader& reader) { return queue::list(reader, after, kPiece); });
    if (piece.empty()) break;
    after = piece.back().message;
    for (auto& entry : piece) {
      if (entry.state == queue::State::Held) {
        ++found.held;
        continue;
      }
      ++found.waiting;
      found.oldest = std::max(found.oldest, now - story::time_of(entry.message));
      if (!entry.attempting) found.overdue = std::max(found.overdue, now - entry.next_attempt);
    }
  }
  if (stopping_) co_return;
  auto held = co_await services_.core.store().read(
      [](store::Reader& reader) { return queue::totals(reader); });
  auto& metrics = services_.metrics;
  metrics.queue_bytes.set(static_cast<std::int64_t>(held.bytes));
  metrics.waiting.set(static_cast<std::int64_t>(found.waiting));
  metrics.held.set(static_cast<std::int64_t>(found.held));
  metrics.oldest.set(std::chrono::floor<seconds>(found.oldest).count());
  std::lock_guard lock(mutex_);
  seen_.waiting = found.waiting;
  seen_.held = found.held;
  seen_.oldest = found.oldest;
  seen_.overdue = found.overdue;
}

Task<void> Watch::look_at_journal() {
  auto bytes =
      co_await run_on(services_.core.workers(),
                      [path = store::journal_directory(services_.core.instance().data.string())] {
                        std::uint64_t total = 0;
                        std::error_code error;
                        for (std::filesystem::directory_iterator files(path, error), end;
                             !error && files != end; files.increment(error)) {
                          std::error_code gone;
                          auto size = files->file_size(gone);
                          if (!gone) total += size;
                        }
                        return total;
                      });
  services_.metrics.journal_bytes.set(static_cast<std::int64_t>(bytes));
  std::lock_guard lock(mutex_);
  seen_.journal_bytes = bytes;
}

Task<void> Watch::look_at_memory() {
  auto before = resident_memory();
  if (!heap_trim_.is_due(before, std::chrono::steady_clock::now())) co_return;
  co_await run_on(services_.core.workers(), [] { ::malloc_trim(0); });
  heap_trim_.note(before, resident_memory(), std::chrono::steady_clock::now());
}

Task<void> Watch::look_at_resolver() {
  if (stopping_ || !needs_dns(services_.core.config())) co_return;
  auto problem = co_await unless_cancelled(
      given_up_, resolver_problem(services_.resolver, services_.core.host_name()));
  if (!problem) co_return;
  std::lock_guard lock(mutex_);
  seen_.resolver_problem = std::move(*problem);
}

}  // namespace hikyaku::app
