#include "app/full_disk.h"

namespace hikyaku::app {

void FullDisk::look(std::uint64_t free, std::uint64_t needed, Clock::time_point now) {
  auto change = spell_.look(free < needed, now);
  if (change == Spell::Change::Began)
    log_.error("store.no_space", {{"free", free}, {"needed", needed}});
  if (change == Spell::Change::Ended)
    log_.warn("store.space_again",
              {{"free", free}, {"needed", needed}, {"ms", spell_.lasted().count()}});
}

}  // namespace hikyaku::app
