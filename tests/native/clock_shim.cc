// Preloaded into the server (LD_PRELOAD): the time of day is so many seconds ahead.
//
//   HIKYAKU_CLOCK_AHEAD    seconds
//   HIKYAKU_CLOCK_FILE     a file of 8 bytes, the seconds as the machine has numbers; looked at
//   every time, so that the clock can be
//                          set while the server runs
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using Function = int (*)(clockid_t, timespec*);

const volatile std::int64_t* shared_setting(const char* path) {
  auto file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return nullptr;
  auto* bytes = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return bytes == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(bytes);
}

// As long as it is null, something else asks while it is loaded: a sanitizer does.
const Function real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
const char* const setting = std::getenv("HIKYAKU_CLOCK_AHEAD");
const time_t ahead = setting ? std::strtoll(setting, nullptr, 10) : 0;
const volatile std::int64_t* const file = shared_setting(std::getenv("HIKYAKU_CLOCK_FILE"));

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) {
  auto outcome =
      real ? real(clock, time) : static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  if (outcome == 0 && clock == CLOCK_REALTIME) time->tv_sec += file ? *file : ahead;
  return outcome;
}
