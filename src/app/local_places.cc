#include "app/local_places.h"

#include <algorithm>

namespace hikyaku::app {

std::optional<LocalPlace> LocalPlaces::take(const net::Stream& stream) {
  // So many may be on their way in while others are on their way out.
  constexpr std::uint32_t kMore = 64;
  LocalPlace local;
  auto most = most_.load();
  if (auto process = stream.peer_process()) local.uid = process->uid;
  local.place = places_.take(local.uid, most);
  local.one_too_many = !local.place;
  if (!local.place) local.place = places_.take(local.uid, most + kMore);
  return local.place ? std::optional(local) : std::nullopt;
}

Task<bool> LocalPlaces::make_room(LocalPlace local) {
  co_return !local.one_too_many || co_await end_silent_program(local.uid);
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
