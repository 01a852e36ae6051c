// The sandbox, entered for real by a child process that then tries what it must not be able to do.
#include "app/sandbox.h"

#include <cerrno>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "app/landlock.h"
#include "base/text.h"
#include "testing/temporary_directory.h"

using namespace hikyaku;
using namespace hikyaku::app;
namespace fs = std::filesystem;

namespace {

/// What the deed (which throws nothing) gives (0, or an errno) when a child does it inside the
/// sandbox.
int inside(const SandboxPaths& paths, const std::function<int()>& deed) {
  constexpr int kNotEntered = 255;
  auto child = ::fork();
  if (child == 0) {
    ::alarm(20);
    rlimit any{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_CORE, &any);  // as far as we may, so that something is given up
    auto entered = enter_sandbox(paths);
    ::_exit(entered ? deed() : kNotEntered);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) != kNotEntered);
  return WEXITSTATUS(status);
}

int open_for(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  return fd < 0 ? errno : 0;
}
sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}
int socket_of(int family, int type) {
  return ::socket(family, type, 0) < 0 ? errno : 0;
}

}  // namespace

TEST_CASE("in the sandbox, the keys and the configuration of an instance can be read, no more") {
  testing::TemporaryDirectory dir;
  auto instance = Instance::from(dir.path.string());
  for (auto& directory : {instance.data, instance.tls, instance.dkim})
    fs::create_directories(directory);
  auto paths = sandbox_paths(instance, {});
  for (auto& file : {instance.secret_key, instance.config, instance.tls / "key.pem",
                     instance.dkim / "alpha.test.pem", instance.control_socket}) {
    CAPTURE(file.string());
    std::ofstream(file) << "kept";
    CHECK(inside(paths, [&] { return open_for(file, O_RDONLY); }) == 0);
    CHECK(inside(paths, [&] { return open_for(file, O_WRONLY); }) == EACCES);
    CHECK(inside(paths, [&] { return ::unlink(file.c_str()) < 0 ? errno : 0; }) == EACCES);
    CHECK(inside(paths, [&] {
            return ::rename(file.c_str(), (instance.data / "taken").c_str()) < 0 ? errno : 0;
          }) != 0);
    CHECK(fs::exists(file));
  }
}

TEST_CASE("in the sandbox, the instance's own can be used and nothing else") {
  testing::TemporaryDirectory dir;
  auto data = dir.path / "data";
  auto secret = dir.path / "secret.key";
  auto other = dir.path / "other";
  fs::create_directories(data);
  std::ofstream(secret) << "key";
  std::ofstream(other) << "not ours";
  SandboxPaths paths{.writable = {data}, .readable = {secret}};
  auto can = [&](const std::function<int()>& deed) { return inside(paths, deed); };

  SUBCASE("files of the instance") {
    CHECK(can([&] { return open_for(data / "new", O_RDWR | O_CREAT | O_EXCL); }) == 0);
    CHECK(can([&] {
            return ::rename((data / "new").c_str(), (data / "newer").c_str()) < 0 ? errno : 0;
          }) == 0);
    CHECK(can([&] { return ::unlink((data / "newer").c_str()) < 0 ? errno : 0; }) == 0);
    CHECK(can([&] { return open_for(secret, O_RDONLY); }) == 0);
    CHECK(can([&] { return open_for(secret, O_WRONLY); }) == EACCES);
    CHECK(can([&] { return ::truncate(secret.c_str(), 0) < 0 ? errno : 0; }) != 0);
  }
  SUBCASE("other files") {
    CHECK(can([&] { return open_for(other, O_RDONLY); }) == EACCES);
    CHECK(can([&] { return open_for("/etc/shadow", O_RDONLY); }) == EACCES);
    CHECK(can([&] { return open_for("/tmp/hikyaku-sandbox-escape", O_WRONLY | O_CREAT); }) ==
          EACCES);
    CHECK(can([&] { return ::symlink("/etc/shadow", (data / "link").c_str()) < 0 ? errno : 0; }) !=
          0);
  }
  SUBCASE("other programs and processes") {
    CHECK(can([] {
            char name[] = "/bin/true";
            char* arguments[] = {name, nullptr};
            ::execv(name, arguments);
            return errno;
          }) == EPERM);
    CHECK(can([] {
            return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr) < 0 ? errno : 0;
          }) == EPERM);
    CHECK(can([] { return ::kill(::getppid(), SIGCONT) < 0 ? errno : 0; }) == EPERM);
    CHECK(can([] {
            auto parent = ::getppid();
            return ::syscall(SYS_tgkill, parent, parent, SIGCONT) < 0 ? errno : 0;
          }) != 0);
    CHECK(can([] {
            auto child = ::fork();
            if (child == 0) ::_exit(0);
            return child < 0 ? errno : 0;
          }) != 0);
  }
  SUBCASE("sockets") {
    CHECK(can([] { return socket_of(AF_INET, SOCK_STREAM); }) == 0);
    CHECK(can([] { return socket_of(AF_INET6, SOCK_DGRAM); }) == 0);
    CHECK(can([] { return socket_of(AF_PACKET, SOCK_RAW); }) != 0);
    CHECK(can([] { return socket_of(AF_NETLINK, SOCK_RAW); }) != 0);
    CHECK(can([] { return socket_of(AF_INET, SOCK_RAW); }) != 0);  // no CAP_NET_RAW
    // A new listener, such as a back door: at a port of its own choice, or at any.
    for (std::uint16_t port : {34567, 0})
      CHECK(can([port] {
              int fd = ::socket(AF_INET, SOCK_STREAM, 0);
              auto at = loopback(port);
              (void)::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at);
              return ::listen(fd, 1) < 0 ? errno : 0;
            }) == EPERM);
    constexpr int kFencesPorts = 4;
    if (landlock_abi() >= kFencesPorts)
      CHECK(can([] {
              int fd = ::socket(AF_INET, SOCK_STREAM, 0);
              auto at = loopback(34567);
              return ::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) < 0 ? errno : 0;
            }) == EACCES);
    else
      MESSAGE("this kernel's Landlock does not know ports");
  }
  SUBCASE("threads still start, and are inside too") {
    CHECK(can([] {
            int result = 0;
            std::thread([&] { result = open_for("/etc/shadow", O_RDONLY); }).join();
            return result;
          }) == EACCES);
  }
  SUBCASE("nothing of the memory lands in a core dump") {
    CHECK(can([] { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }) == 0);
    CHECK(can([] {
            rlimit most{1, 1};
            if (::getrlimit(RLIMIT_CORE, &most) != 0) return errno;
            return most.rlim_cur == 0 && most.rlim_max == 0 ? 0 : ERANGE;
          }) == 0);
  }
  SUBCASE("/proc tells it") {
    CHECK(can([] {
            std::ifstream status("/proc/self/status");
            return status ? 0 : ENOENT;
          }) != 0);  // only what was named
    paths.readable.emplace_back("/proc");
    CHECK(inside(paths, [] {
            std::ifstream status("/proc/self/status");
            std::map<std::string, std::string> fields;
            for (std::string name, rest; status >> name && std::getline(status, rest);)
              fields[name] = std::string(trim(rest));
            if (fields["Seccomp:"] != "2") return 1;
            if (fields["NoNewPrivs:"] != "1") return 2;
            if (fields["CapEff:"] != "0000000000000000") return 3;
            if (fields["CapBnd:"] != "0000000000000000" && ::geteuid() == 0) return 4;
            return 0;
          }) == 0);
  }
}
