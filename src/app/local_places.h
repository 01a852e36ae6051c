// Programs of this machine at the control socket and at submit.sock: how many of one user there may
// be at once (limits.local_connections), and who gives way to one more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "app/sessions.h"
#include "auth/places.h"
#include "base/result.h"
#include "base/task.h"
#include "net/stream.h"

namespace hikyaku::app {

/// A program of this machine on its way in. Its places are free again when the last copy goes.
struct LocalPlace {
  std::uint32_t uid = UINT32_MAX;
  bool one_too_many = false;     ///< another one is to go: LocalPlaces::make_room()
  std::shared_ptr<void> place;   ///< among those that are there
  std::shared_ptr<void> served;  ///< among those that are served: LocalPlaces::wait_for_turn()
};

/// From every event loop.
class LocalPlaces {
 public:
  /// `sessions` outlives it.
  explicit LocalPlaces(Sessions& sessions) : sessions_(sessions) {}
  /// So many are served at once, for each user; ten times as many may be there.
  void set_limit(std::uint32_t most) { most_ = most; }
  /// nullopt: its user has too many.
  std::optional<LocalPlace> take(const net::Stream& stream);
  /// Programs that connect and say nothing keep nobody out: the oldest of the same user gives way
  /// to one too many. False: all are at work, and that one is not to be served.
  Task<bool> make_room(LocalPlace local);
  /// One that has said what it wants is served when others of its user have ended: a hundred more
  /// that begin at the same moment have only to wait. Unavailable: it took too long, or it has
  /// gone. `local` and the stream outlive it.
  Task<Result<void>> wait_for_turn(const net::Stream& stream, LocalPlace& local);

 private:
  Task<bool> end_silent_program(std::uint32_t uid);

  Sessions& sessions_;
  auth::Places<std::uint32_t> places_;  ///< by user id
  auth::Places<std::uint32_t> served_;
  std::atomic<std::uint32_t> most_{0};
};

}  // namespace hikyaku::app
