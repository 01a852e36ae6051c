// What a real file system answers.
#include "store/posix_file_system.h"

#include <cstddef>
#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/temporary_directory.h"

namespace hikyaku::store {
namespace {

/// From now on the kernel cannot read directories in this process.
bool break_directories() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getdents64, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{std::size(program), program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_CASE("a directory that cannot be read to its end is not taken for one with fewer files") {
  testing::TemporaryDirectory directory;
  auto path = directory.path.string();
  PosixFileSystem files;
  REQUIRE(files.open(path + "/1.log", OpenMode::Create));
  CHECK(files.list(path).value() == std::vector<std::string>{"1.log"});
  auto child = ::fork();
  if (child == 0) {
    if (!break_directories()) ::_exit(2);
    auto listed = files.list(path);
    ::_exit(!listed && listed.error().code == ErrorCode::Io ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace hikyaku::store
