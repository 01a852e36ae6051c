#include "store/idle_disk.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace hikyaku::store {
namespace {

// Of <linux/ioprio.h>, which not every libc's kernel headers have.
constexpr int kThisThread = 1;  // IOPRIO_WHO_PROCESS, of thread 0
constexpr int kIdle = 3 << 13;  // IOPRIO_CLASS_IDLE

}  // namespace

IdleDisk::IdleDisk() : before_(::syscall(SYS_ioprio_get, kThisThread, 0)) {
  if (before_ >= 0) (void)::syscall(SYS_ioprio_set, kThisThread, 0, kIdle);
}

IdleDisk::~IdleDisk() {
  if (before_ >= 0) (void)::syscall(SYS_ioprio_set, kThisThread, 0, before_);
}

}  // namespace hikyaku::store
