#include "app/log_bounded.h"

#include <algorithm>
#include <atomic>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <future>
#include <memory>
#include <poll.h>
#include <pty.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "app/log_journal.h"
#include "base/text.h"
#include "testing/temporary_directory.h"

namespace hikyaku::app {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

struct Counted {
  metrics::Registry registry;
  metrics::Counter lost = registry.counter("lost_total", "Lost.");
};

/// Both ends of what a log is written to.
struct Channel {
  net::UniqueFd write, read;

  /// Of one page: some 30 lines.
  static Channel pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, 4096) == 4096);
    return {net::UniqueFd(ends[1]), net::UniqueFd(ends[0])};
  }
  static Channel socket() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    int size = 1;  // the least there is
    REQUIRE(::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    return {net::UniqueFd(ends[1]), net::UniqueFd(ends[0])};
  }

  static Channel terminal() {
    termios raw{};
    ::cfmakeraw(&raw);
    int reader = -1, terminal = -1;
    REQUIRE(::openpty(&reader, &terminal, nullptr, &raw, nullptr) == 0);
    return {net::UniqueFd(terminal), net::UniqueFd(reader)};
  }

  bool blocks() const { return (::fcntl(write.get(), F_GETFL) & O_NONBLOCK) == 0; }
  /// All there is to read now.
  std::string take() const {
    std::string all;
    char buffer[4096];
    for (pollfd one{read.get(), POLLIN, 0}; ::poll(&one, 1, 0) > 0;) {
      auto got = ::read(read.get(), buffer, sizeof buffer);
      if (got <= 0) break;
      all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
  }
};

/// What was taken of "event=n number=N …", and what log.lost has told of others.
struct Heard {
  std::vector<int> numbers;
  std::uint64_t told = 0;
  bool whole = true;

  void hear(std::string_view text) {
    whole = whole && (text.empty() || text.ends_with('\n'));
    for (auto line : split(text, '\n'))
      if (!line.empty()) hear_line(line);
  }
  void hear_line(std::string_view line) {
    auto number = [&](std::string_view key) {
      auto at = line.find(key);
      auto rest = at == std::string_view::npos ? "" : line.substr(at + key.size());
      return parse_decimal(rest.substr(0, rest.find(' ')));
    };
    bool is_lost = line.contains(" warn event=log.lost ");
    auto found = number(is_lost ? " lines=" : " number=");
    whole = whole && found && (is_lost || line.ends_with("xyz")) && line.starts_with("20");
    if (!whole) return;
    is_lost ? void(told += *found) : numbers.push_back(static_cast<int>(*found));
  }
};

std::string line_of(int number, std::size_t size = 100) {
  return fmt::format("event=n number={} {}xyz", number, std::string(size, '.'));
}

/// Whether `work` ends while nobody reads; if not, somebody does so that it can.
bool ends(const Channel& channel, const std::function<void()>& work) {
  auto done = std::async(std::launch::async, work);
  bool in_time = done.wait_for(20s) == std::future_status::ready;
  while (done.wait_for(0s) != std::future_status::ready) (void)channel.take();
  return in_time;
}

struct ErrorLog : Counted {
  explicit ErrorLog(Channel ends) : channel(std::move(ends)) {}
  Channel channel;
  SystemClock clock;
  BoundedErrorSink sink{config::LogFormat::Text, clock, lost, channel.write.get()};

  /// How long it takes to write them.
  std::chrono::nanoseconds write(int first, int last, std::size_t size = 100) {
    auto began = Steady::now();
    for (int i = first; i <= last; ++i) sink.write(LogLevel::Info, line_of(i, size));
    return Steady::now() - began;
  }
};

TEST_CASE("log: standard error that nobody reads holds nobody up, and nothing is lost untold") {
  for (auto make : {Channel::pipe, Channel::socket, Channel::terminal}) {
    ErrorLog log(make());
    CHECK(log.channel.blocks());
    std::chrono::nanoseconds took{};
    CHECK(ends(log.channel, [&] { took = log.write(0, 1999); }));
    CHECK(took >=
          BoundedSink::kPatience);  // a reader that was only slow would have been waited for
    auto further = log.write(2000, 3999);
    CHECK(further < 20 * BoundedSink::kPatience);  // as if each hundredth line had waited
    CHECK(log.lost.value() > 3000);
    CHECK(log.channel.blocks());  // others write there, too

    auto all = log.channel.take();
    for (int i = 4000; i < 4010; ++i) {
      log.write(i, i);
      all += log.channel.take();
    }
    Heard heard;
    heard.hear(all);
    CHECK(heard.whole);
    CHECK(heard.told == log.lost.value());
    CHECK(heard.numbers.size() + heard.told == 4010);
    CHECK(std::ranges::is_sorted(heard.numbers));
    CHECK(heard.numbers.back() == 4009);
  }
}

TEST_CASE("log: at the end it waits for a slow reader, to say what is missing") {
  for (auto make : {Channel::pipe, Channel::terminal}) {
    ErrorLog log(make());
    CHECK(ends(log.channel, [&] { log.write(0, 999); }));
    Heard heard;
    auto finished = std::async(std::launch::async, [&] { log.sink.finish(20s); });
    CHECK(finished.wait_for(50ms) == std::future_status::timeout);
    std::string all;
    while (finished.wait_for(1ms) != std::future_status::ready) all += log.channel.take();
    heard.hear(all + log.channel.take());
    CHECK(heard.whole);
    CHECK(heard.told == log.lost.value());
    CHECK(heard.told + heard.numbers.size() == 1000);
    log.sink.finish(20s);  // has nothing more to say
    CHECK(log.channel.take().empty());
  }
  // One that reads no more is not waited for beyond that.
  ErrorLog log(Channel::pipe());
  CHECK(ends(log.channel, [&] {
    log.write(0, 999);
    log.sink.finish(20ms);
  }));
}

TEST_CASE("log: a line of which a part was taken is completed before any other") {
  for (auto make : {Channel::pipe, Channel::socket, Channel::terminal}) {
    ErrorLog log(make());
    CHECK(ends(log.channel, [&] { log.write(0, 9, 50'000); }));
    std::string all = log.channel.take();
    CHECK_FALSE(all.ends_with('\n'));
    for (int i = 10; i < 300; ++i) {
      log.write(i, i);
      all += log.channel.take();
    }
    Heard heard;
    heard.hear(all);
    CHECK(heard.whole);
    CHECK(heard.numbers.front() == 0);
    CHECK(heard.told == log.lost.value());
    CHECK(heard.numbers.size() + heard.told == 300);
  }
}

TEST_CASE("log: a reader that is only slow loses nothing") {
  ErrorLog log(Channel::pipe());
  std::string all;
  std::atomic<bool> over = false;
  std::chrono::nanoseconds longest_pause{};
  std::thread reader([&] {
    for (auto last = Steady::now(); !over; last = Steady::now()) {
      std::this_thread::sleep_for(5ms);
      longest_pause = std::max<std::chrono::nanoseconds>(longest_pause, Steady::now() - last);
      all += log.channel.take();
    }
  });
  // Twice what the pipe has room for.
  log.write(0, 59);
  std::this_thread::sleep_for(200ms);
  over = true;
  reader.join();
  Heard heard;
  heard.hear(all);
  CHECK(heard.numbers.size() + heard.told == 60);
  // A machine that is busy with other things may have made it slower than is waited for.
  if (longest_pause < BoundedSink::kPatience / 3) CHECK(log.lost.value() == 0);
}

TEST_CASE("log: threads that wait for the same reader do not wait one after another") {
  ErrorLog log(Channel::pipe());
  constexpr int kThreads = 16;
  std::atomic<std::int64_t> longest = 0;
  CHECK(ends(log.channel, [&] {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          auto took = log.write(i, i).count();
          for (auto most = longest.load(); took > most;)
            if (longest.compare_exchange_weak(most, took)) break;
        }
      });
  }));
  CHECK(std::chrono::nanoseconds(longest) < kThreads / 2 * BoundedSink::kPatience);
}

TEST_CASE(
    "log: a reader that lives, but takes a line now and then, takes half of the time at most") {
  ErrorLog log(Channel::pipe());
  log.write(0, 100);  // full
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over) {
      std::this_thread::sleep_for(60ms);
      (void)log.channel.take();
    }
  });
  // In each of these a page is written, and the next one waits for up to 60 ms.
  auto began = Steady::now();
  std::chrono::nanoseconds waited{};
  while (Steady::now() - began < 2s) {
    if (auto took = log.write(0, 0); took > 10ms) waited += took;
  }
  over = true;
  reader.join();
  CHECK(waited < 1500ms);
  CHECK(log.lost.value() > 0);
}

TEST_CASE("log: standard error that cannot be written to at all counts what it loses") {
  Counted counted;
  SystemClock clock;
  BoundedErrorSink closed(config::LogFormat::Text, clock, counted.lost, -1);
  closed.write(LogLevel::Info, "event=x");
  CHECK(counted.lost.value() == 1);
  net::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  BoundedErrorSink sink(config::LogFormat::Text, clock, counted.lost, full.get());
  auto began = Steady::now();
  for (int i = 0; i < 100; ++i) sink.write(LogLevel::Info, "event=x");
  CHECK(counted.lost.value() == 101);
  CHECK(Steady::now() - began < 5s);
}

struct Lines final : LogSink {
  std::vector<std::string> seen;
  void write(LogLevel, std::string_view line) override { seen.emplace_back(line); }
};

TEST_CASE("log: a journal that hangs holds nobody up, and nothing is lost untold") {
  testing::TemporaryDirectory directory;
  auto path = (directory.path / "journal").string();
  net::UniqueFd journal(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(journal.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  Channel reading{{}, std::move(journal)};
  auto next = [&]() -> std::string {
    char buffer[4096];
    auto got = ::recv(reading.read.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got <= 0) return {};
    std::string entry(buffer, static_cast<std::size_t>(got));
    return entry.substr(0, entry.find('\n'));
  };

  Counted counted;
  Lines instead;
  JournalSink sink(net::UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), path, instead,
                   counted.lost);
  auto write = [&](int first, int last) {
    auto began = Steady::now();
    for (int i = first; i <= last; ++i) sink.write(LogLevel::Info, "event=n");
    return Steady::now() - began;
  };
  std::chrono::nanoseconds took{};
  CHECK(ends(reading, [&] { took = write(0, 1999); }));
  CHECK(took >= BoundedSink::kPatience);
  CHECK(write(2000, 3999) < 20 * BoundedSink::kPatience);
  auto lost = counted.lost.value();
  CHECK(lost > 2000);

  std::uint64_t taken = 0;
  while (next() == "MESSAGE=event=n") ++taken;
  CHECK(taken + lost == 4000);
  write(1, 1);
  CHECK(next() == "MESSAGE=event=log.lost lines=" + std::to_string(lost));
  CHECK(next() == "MESSAGE=event=n");
  CHECK(next() == "");
  CHECK(counted.lost.value() == lost);
  CHECK(instead.seen.empty());  // which leads to the same journal
}

}  // namespace
}  // namespace hikyaku::app
