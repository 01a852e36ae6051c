// Preloaded into the server (LD_PRELOAD): every sync of a file of the journal takes 300 ms longer,
// and writes and syncs are written down, so that a test can see what was on the disk when a reply
// left.
//
//   HIKYAKU_SHIM_LOG    the file for lines "write PATH OFFSET END TIME" and "sync PATH BEGUN ENDED"
//                       (nanoseconds of CLOCK_MONOTONIC)
//   HIKYAKU_SHIM_SKIP   N: every Nth sync of a file of the journal does nothing and is not written
//                       down, as if the program had none there (1: every one)
//   HIKYAKU_SHIM_HANG   a file: as long as it holds anything, no sync of a file of the journal ends
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

constexpr timespec kDelay{0, 300'000'000};

long long now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

std::string path_of(int descriptor) {
  char path[4096];
  auto link = "/proc/self/fd/" + std::to_string(descriptor);
  auto length = readlink(link.c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "?";
}

int log_file = -1, hang_file = -1;

// Before the program gives up what it may do.
__attribute__((constructor)) void open_files() {
  const char* path = std::getenv("HIKYAKU_SHIM_LOG");
  if (path) log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const char* hang = std::getenv("HIKYAKU_SHIM_HANG");
  if (hang) hang_file = open(hang, O_RDONLY | O_CLOEXEC);
}

void hang() {
  constexpr timespec kLook{0, 20'000'000};
  char any;
  while (hang_file >= 0 && pread(hang_file, &any, 1, 0) == 1) nanosleep(&kLook, nullptr);
}

void note(const std::string& line) {
  if (log_file >= 0) (void)!syscall(SYS_write, log_file, line.data(), line.size());
}

void note_write(int descriptor, long long offset, ssize_t written) {
  if (written <= 0) return;
  auto path = path_of(descriptor);
  if (path.find("/journal/") == std::string::npos) return;
  note("write " + path + " " + std::to_string(offset) + " " + std::to_string(offset + written) +
       " " + std::to_string(now()) + "\n");
}

bool is_skipped() {
  static const char* every = std::getenv("HIKYAKU_SHIM_SKIP");
  static std::atomic<int> count = 0;
  return every && ++count % std::atoi(every) == 0;
}

int slow_sync(int descriptor, const char* name) {
  auto begun = now();
  auto path = path_of(descriptor);
  if (path.find("/journal/") != std::string::npos) {
    if (is_skipped()) return 0;
    nanosleep(&kDelay, nullptr);
    hang();
  }
  auto real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name));
  int outcome = real(descriptor);
  if (outcome == 0)
    note("sync " + path + " " + std::to_string(begun) + " " + std::to_string(now()) + "\n");
  return outcome;
}

}  // namespace

extern "C" {

int fdatasync(int descriptor) {
  return slow_sync(descriptor, "fdatasync");
}
int fsync(int descriptor) {
  return slow_sync(descriptor, "fsync");
}

ssize_t pwritev(int descriptor, const iovec* pieces, int count, off_t offset) {
  using Function = ssize_t (*)(int, const iovec*, int, off_t);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "pwritev"));
  auto written = real(descriptor, pieces, count, offset);
  note_write(descriptor, offset, written);
  return written;
}
ssize_t pwritev64(int descriptor, const iovec* pieces, int count, off64_t offset) {
  return pwritev(descriptor, pieces, count, offset);
}
}
