// A process of our own making, and what becomes of it.
#include "app/forked.h"

#include <array>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;

/// Whether it comes to be within some seconds.
template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

bool is_there(pid_t process) {
  return ::kill(process, 0) == 0;
}

TEST_CASE("it tells what it was asked, however long, and lives until it is let go") {
  auto words = std::string(300'000, 'x') + "end";  // more than a pipe holds
  pid_t child = 0;
  {
    auto forked = Forked::start([&](Forked::Parent& parent) {
      parent.tell(std::to_string(::getpid()) + ' ' + words);
      parent.wait_until_released();
    });
    REQUIRE(forked);
    auto answer = (*forked)->answer();
    child = static_cast<pid_t>(std::stol(answer));
    CHECK(answer == std::to_string(child) + ' ' + words);
    CHECK(child != ::getpid());
    CHECK(is_there(child));
  }
  CHECK_FALSE(is_there(child));  // and nobody is left to be waited for
}

TEST_CASE("one that fails before it has told anything has told nothing") {
  auto throwing = Forked::start([](Forked::Parent&) { throw std::runtime_error("no"); });
  REQUIRE(throwing);
  CHECK((*throwing)->answer().empty());
  auto killed = Forked::start([](Forked::Parent&) { ::raise(SIGKILL); });
  REQUIRE(killed);
  CHECK((*killed)->answer().empty());
}

TEST_CASE("what is told to nobody harms nobody") {
  auto forked = Forked::start([](Forked::Parent& parent) {
    ::signal(SIGPIPE, SIG_IGN);
    parent.tell(std::string(300'000, 'x'));
    parent.wait_until_released();
  });
  REQUIRE(forked);
  forked->reset();  // returns: the child does not wait for a reader for ever
}

TEST_CASE("it is released when the parent dies") {
  testing::TemporaryDirectory top;
  auto mark = top.path / "released";
  std::array<int, 2> told{};
  REQUIRE(::pipe(told.data()) == 0);
  auto parent = ::fork();
  REQUIRE(parent >= 0);
  if (parent == 0) {
    auto forked = Forked::start([&](Forked::Parent& up) {
      up.tell("here");
      up.wait_until_released();
      std::ofstream(mark) << "x";
    });
    auto answer = forked ? (*forked)->answer() : "";
    (void)!::write(told[1], answer.data(), answer.size());
    for (;;) ::pause();
  }
  std::array<char, 4> words{};
  CHECK(::read(told[0], words.data(), words.size()) == 4);
  CHECK_FALSE(std::filesystem::exists(mark));
  ::kill(parent, SIGKILL);
  int status = 0;
  CHECK(::waitpid(parent, &status, 0) == parent);
  CHECK(eventually([&] { return std::filesystem::exists(mark); }));
  for (int end : told) ::close(end);
}

}  // namespace
}  // namespace hikyaku::app
