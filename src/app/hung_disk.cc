#include "app/hung_disk.h"

namespace hikyaku::app {

void HungDisk::look(std::chrono::nanoseconds under_way, Clock::time_point now) {
  auto change = spell_.look(under_way >= kLongWrite, now, under_way);
  auto ms = std::chrono::floor<std::chrono::milliseconds>(under_way);
  if (change == Spell::Change::Began) log_.warn("store.write_hangs", {{"ms", ms.count()}});
  if (change == Spell::Change::Ended)
    log_.warn("store.write_goes_on", {{"ms", spell_.lasted().count()}});
}

}  // namespace hikyaku::app
