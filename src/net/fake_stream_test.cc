#include "net/fake_stream.h"

#include <doctest/doctest.h>

#include "base/async.h"
#include "net/input.h"
#include "testing/test_loop.h"

namespace hikyaku::net {
namespace {

using namespace std::chrono_literals;

Task<void> echo_lines(Stream& stream) {
  Input input(stream);
  while (co_await input.fill() == Input::Filled::Bytes) {
    co_await stream.write(input.available());
    input.consume(input.available().size());
  }
}

TEST_CASE("fake streams: bytes, ends, time-outs, wake-ups") {
  testing::TestLoop loop;
  auto [server, client] = FakeStream::pair();
  client->receive("before");
  loop.run([](Stream& on) -> Task<void> {
    char bytes[10];
    CHECK(co_await on.wait_readable() == Wake::Readable);
    CHECK(on.try_read(bytes) == 6);
    CHECK_FALSE(on.try_read(bytes));
    on.wake();
    CHECK(co_await on.wait_readable() == Wake::Woken);
    auto begun = static_cast<testing::TestLoop*>(Executor::current())->now();
    CHECK_THROWS_AS(co_await on.wait_readable(), Disconnected);
    CHECK(static_cast<testing::TestLoop*>(Executor::current())->now() - begun == 5min);
    auto timer = Executor::current()->after(1s, [&] { on.shut_down(); });
    CHECK_THROWS_AS(co_await on.wait_readable(), Disconnected);
    co_await on.write("bye");
  }(*client));
  CHECK(client->take_written() == "bye");
  server->close();
  CHECK_THROWS_AS(loop.run([](Stream& on) { return on.write("x"); }(*client)), Disconnected);
}

TEST_CASE("fake streams: a full window holds the writer up until the other end reads") {
  testing::TestLoop loop;
  auto [server, client] = FakeStream::pair();
  client->set_window(3);
  server->set_read_limit(1);
  Gate gate{end_process};
  gate.spawn(client->write("0123456789"));
  loop.run_ready();
  CHECK(client->bytes_out() == 3);
  std::string got;
  loop.run([](Stream& on, std::string& into) -> Task<void> {
    char byte;
    while (into.size() < 10) {
      co_await on.wait_readable();
      if (on.try_read({&byte, 1})) into += byte;
      co_await yield_now();
    }
  }(*server, got));
  CHECK(got == "0123456789");
  CHECK(gate.running() == 0);
}

TEST_CASE("fake streams: failing at every operation in turn runs every error path") {
  int failures = 0;
  for (int n = 1;; ++n) {
    testing::TestLoop loop;
    auto [server, client] = FakeStream::pair();
    server->receive("a");
    server->receive_end();
    server->fail_at(n);
    try {
      loop.run(echo_lines(*server));
    } catch (const Disconnected&) {
      ++failures;
      CHECK(server->failed());
      continue;
    }
    CHECK(server->take_written() == "a");
    break;
  }
  CHECK(failures == 3);  // read, write, read the end
}

}  // namespace
}  // namespace hikyaku::net
