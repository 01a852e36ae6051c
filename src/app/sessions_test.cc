// Who has to go when connections hold nearly all the memory that they may.
#include "app/sessions.h"

#include <doctest/doctest.h>
#include <future>
#include <map>
#include <thread>

#include "base/wakeup.h"

namespace hikyaku::app {
namespace {

constexpr std::uint64_t kKB = 1024;
constexpr std::uint64_t kTotal = 1600 * kKB;

/// A connection of which nothing comes: it lasts until it is shut down.
class SilentStream final : public net::Stream {
 public:
  explicit SilentStream(std::string_view address) { peer_.address = *IpAddress::parse(address); }

  Task<void> until_shut_down() { co_await shut_down_.wait(); }

  std::optional<std::size_t> try_read(std::span<char>) override { return std::nullopt; }
  void check() override {}
  Task<net::Wake> wait_readable() override { co_return net::Wake::Woken; }
  Task<void> write(std::string_view) override { co_return; }
  void finish() override {}
  void close() override {}
  void wake() override {}
  void shut_down(std::chrono::milliseconds) override { shut_down_.wake(); }
  void set_timeout(std::chrono::milliseconds) override {}
  void set_total_timeout(std::chrono::milliseconds) override {}
  void end_by(std::chrono::steady_clock::time_point) override {}
  Task<Result<net::TlsInfo>> start_tls(const net::ServerTls&) override {
    co_return fail(ErrorCode::Unsupported, "no TLS");
  }
  Task<Result<net::TlsInfo>> start_tls(const net::ClientTls&, std::string) override {
    co_return fail(ErrorCode::Unsupported, "no TLS");
  }
  const net::TlsInfo* tls() const override { return nullptr; }
  net::ChannelBindings channel_bindings() const override { return {}; }
  Endpoint local() const override { return {}; }
  Endpoint peer() const override { return peer_; }
  std::optional<net::PeerProcess> peer_process() const override { return std::nullopt; }
  std::uint64_t bytes_in() const override { return 0; }
  std::uint64_t bytes_out() const override { return 0; }

 private:
  Endpoint peer_;
  Wakeup shut_down_;
};

Task<void> serve(std::unique_ptr<net::Stream> stream, Activity&) {
  co_await static_cast<SilentStream&>(*stream).until_shut_down();
}

/// Sessions on two loops.
struct Bench {
  net::Cores cores{2};
  Sessions sessions{cores};

  Bench() {
    sessions.memory().set_limits({.total = kTotal, .per_session = kTotal});
    cores.start();
  }
  ~Bench() {
    sessions.end_all(milliseconds(0));
    cores.stop();
    cores.join();
  }

  /// One that holds so much.
  Activity* add(std::size_t loop, std::string_view address, std::uint64_t memory) {
    return cores.call(loop, [&] {
      auto stream = std::make_unique<SilentStream>(address);
      auto* raw = stream.get();
      sessions.spawn("smtp", std::move(stream), serve);
      auto* activity = sessions.activity_of(*raw);
      CHECK(activity->hold(memory));
      return activity;
    });
  }
  void log_in(std::size_t loop, Activity* activity) {
    cores.call(loop, [&] { activity->log_in(1, "anna@alpha.test", "", {}); });
  }
  /// Those that are there, and are to stay.
  std::map<std::string, std::uint64_t> held() {
    std::map<std::string, std::uint64_t> held;
    for (auto& one : cores.run(0, [&] { return sessions.list(); }))
      if (one.activity.end == Activity::End::Not)
        held[one.peer.address.to_string()] += one.activity.memory / kKB;
    return held;
  }
  void make_room() {
    cores.call(0, [&] { sessions.make_room(); });
    // What that began: three rounds to each loop and back at most.
    for (int i = 0; i < 4; ++i) (void)held();
  }
  void pass(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }
};

TEST_CASE("strangers go until five eighths are held, a network down to a sixteenth at most") {
  Bench bench;
  auto* user = bench.add(0, "192.0.2.1", 500 * kKB);
  bench.log_in(0, user);
  for (int i = 0; i < 10; ++i) bench.add(i % 2, "192.0.2.66", 50 * kKB);
  for (int i = 0; i < 3; ++i) bench.add(i % 2, "192.0.2.7", 30 * kKB);
  bench.make_room();  // 1,090 of 1,600: it is not tight
  CHECK(bench.held()["192.0.2.66"] == 500);
  bench.add(1, "192.0.2.8", 64 * kKB);
  bench.add(1, "192.0.2.9", 64 * kKB);
  bench.make_room();  // 1,218 to 1,000
  CHECK(bench.held() == std::map<std::string, std::uint64_t>{{"192.0.2.1", 500},
                                                             {"192.0.2.66", 250},
                                                             {"192.0.2.7", 90},
                                                             {"192.0.2.8", 64},
                                                             {"192.0.2.9", 64}});
  // Again, when all may stay who is there: of one network not more than its part.
  for (int i = 0; i < 10; ++i) bench.add(0, "192.0.2.1", 32 * kKB);
  bench.make_room();  // too early
  CHECK(bench.held()["192.0.2.66"] == 250);
  bench.pass(GiveWayPace::kPause);
  bench.make_room();  // 1,288 to 1,000
  auto held = bench.held();
  CHECK(held["192.0.2.7"] == 90);
  CHECK(held["192.0.2.66"] >= 100 - 50);
  CHECK(held["192.0.2.66"] < 250);
  CHECK(held["192.0.2.1"] >= 500);
}

TEST_CASE("a session that throws ends alone, and is told") {
  struct Lines final : LogSink {
    void write(LogLevel, std::string_view line) override { last = line; }
    std::string last;
  } lines;
  net::Cores cores{1};
  Sessions sessions{cores, Log(lines, LogLevel::Info)};
  cores.start();
  cores.call(0, [&] {
    auto failing = [](std::unique_ptr<net::Stream>, Activity&) -> Task<void> {
      throw std::runtime_error("a block is damaged");
      co_return;
    };
    sessions.spawn("control", std::make_unique<SilentStream>("192.0.2.1"), failing);
  });
  CHECK(cores.run(0, [&] { return sessions.list(); }).empty());
  CHECK(sessions.count() == 0);
  CHECK(lines.last == "event=work.fail what=sessions untold=0 err=\"a block is damaged\"");
  sessions.end_all(milliseconds(0));
  cores.stop();
  cores.join();
}

TEST_CASE("who logs in between the two looks stays") {
  Bench bench;
  auto* one = bench.add(0, "192.0.2.1", 1250 * kKB);
  // The second loop holds up the first look, which has seen this one as a stranger.
  std::promise<void> go_on;
  bench.cores[1].post([held_up = go_on.get_future().share()] { held_up.wait(); });
  bench.cores.call(0, [&] { bench.sessions.make_room(); });
  bench.log_in(0, one);
  go_on.set_value();
  for (int i = 0; i < 4; ++i) (void)bench.held();
  CHECK(bench.held().contains("192.0.2.1"));
}

TEST_CASE("where nobody is found, the next look is later") {
  using Moment = GiveWayPace::Moment;
  Moment now = std::chrono::steady_clock::now();
  GiveWayPace pace;
  CHECK(pace.begin(now));
  CHECK_FALSE(pace.begin(now + GiveWayPace::kPause - milliseconds(1)));
  now += GiveWayPace::kPause;
  CHECK(pace.begin(now));
  pace.found_nobody(now);
  CHECK_FALSE(pace.begin(now + GiveWayPace::kPause));
  CHECK_FALSE(pace.begin(now + GiveWayPace::kLongPause - milliseconds(1)));
  CHECK(pace.begin(now + GiveWayPace::kLongPause));
  now += GiveWayPace::kLongPause;
  pace.found_nobody(now);
  pace.relax();
  CHECK_FALSE(pace.begin(now + GiveWayPace::kPause - milliseconds(1)));
  CHECK(pace.begin(now + GiveWayPace::kPause));

  Bench bench;
  bench.log_in(0, bench.add(0, "192.0.2.1", 1250 * kKB));
  bench.make_room();
  bench.add(0, "192.0.2.66", 150 * kKB);
  bench.pass(GiveWayPace::kPause);
  bench.make_room();
  CHECK(bench.held().contains("192.0.2.66"));
}

}  // namespace
}  // namespace hikyaku::app
