#include "app/local_places.h"

#include <algorithm>
#include <chrono>

#include "base/async.h"

namespace hikyaku::app {
namespace {

/// How many may be there for each one that is served.
constexpr std::uint32_t kPresent = 10;
constexpr seconds kLongestWait{20};
constexpr milliseconds kLookAgain{25};

}  // namespace

std::optional<LocalPlace> LocalPlaces::take(const net::Stream& stream) {
  // So many may be on their way in while others are on their way out.
  constexpr std::uint32_t kMore = 64;
  LocalPlace local;
  auto most = kPresent * most_.load();
  auto more = std::min(kMore, most);
  if (auto process = stream.peer_process()) local.uid = process->uid;
  local.place = places_.take(local.uid, most);
  local.one_too_many = !local.place;
  if (!local.place) local.place = places_.take(local.uid, most + more);
  return local.place ? std::optional(local) : std::nullopt;
}

Task<bool> LocalPlaces::make_room(LocalPlace local) {
  co_return !local.one_too_many || co_await end_silent_program(local.uid);
}

Task<Result<void>> LocalPlaces::wait_for_turn(const net::Stream& stream, LocalPlace& local) {
  auto until = std::chrono::steady_clock::now() + kLongestWait;
  while (true) {
    local.served = served_.take(local.uid, most_.load());
    if (local.served) co_return Result<void>();
    bool gone = stream.out_of_grace() || stream.peer_side() == net::PeerSide::Gone;
    if (gone || std::chrono::steady_clock::now() >= until)
      co_return fail(ErrorCode::Unavailable,
                     "too many programs of this user are being served (limits.local_connections): "
                     "try again later");
    co_await sleep_for(kLookAgain);
  }
}

Task<bool> LocalPlaces::end_silent_program(std::uint32_t uid) {
  auto is_silent = [uid](const SessionFacts& facts) {
    return facts.uid == uid && facts.bytes_in == 0 &&
           (facts.activity.protocol == "control" || facts.activity.protocol == "local");
  };
  while (true) {
    auto all = co_await sessions_.list();
    auto oldest = std::ranges::find_if(all, [&](auto& facts) {
      return is_silent(facts) && facts.activity.end == Activity::End::Not;
    });
    if (oldest == all.end()) co_return false;
    // Between the two looks it may have spoken, or others have ended it.
    auto ended = co_await sessions_.end(
        [id = oldest->id, is_silent](const SessionFacts& facts) {
          return facts.id == id && is_silent(facts);
        },
        Activity::End::Crowded);
    if (ended > 0) co_return true;
  }
}

}  // namespace hikyaku::app
