// Preloaded into the server (LD_PRELOAD): the time of day is so many seconds ahead.
//
//   HIKYAKU_CLOCK_AHEAD    seconds
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>

namespace {

const char* const setting = std::getenv("HIKYAKU_CLOCK_AHEAD");
const time_t ahead = setting ? std::strtoll(setting, nullptr, 10) : 0;

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) {
  using Function = int (*)(clockid_t, timespec*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  auto outcome = real(clock, time);
  if (outcome == 0 && clock == CLOCK_REALTIME) time->tv_sec += ahead;
  return outcome;
}
