// Streams: bytes, and every way in which a connection or a wait ends.
#include <atomic>
#include <chrono>
#include <coroutine>
#include <doctest/doctest.h>
#include <future>

#include "base/async.h"
#include "net/conversation_test.h"
#include "net/input.h"
#include "net/linger.h"
#include "net/served.h"

namespace hikyaku::net {

using namespace std::chrono_literals;
using testing::Served;

TEST_CASE("plain: bytes come back, half-close works, counters and endpoints are right") {
  Served served(2, echo);
  auto bytes = pattern(100'000);
  served.client([&](Stream& stream) -> Task<void> {
    CHECK(stream.peer() == served.listener().endpoint());
    CHECK(stream.local().address == stream.peer().address);
    CHECK(stream.tls() == nullptr);
    CHECK(stream.channel_bindings().tls_exporter.empty());
    CHECK_FALSE(stream.peer_process());
    CHECK(co_await converse(stream, bytes) == bytes);
    CHECK(stream.bytes_in() == bytes.size());
    CHECK(stream.bytes_out() == bytes.size());
  });
}

TEST_CASE("a wait ends by its time limit") {
  Served served(1,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.client([](Stream& stream) -> Task<void> {
    stream.set_timeout(30ms);
    auto begun = std::chrono::steady_clock::now();
    CHECK(co_await ending(stream.wait_readable()) == "timeout");
    CHECK(std::chrono::steady_clock::now() - begun >= 29ms);
    stream.set_timeout(10s);
    stream.set_total_timeout(20ms);
    CHECK(co_await ending(stream.wait_readable()) == "timeout");
    CHECK(co_await ending(stream.write("x")) == "timeout");  // the total is used up
    stream.set_total_timeout(0ms);
    CHECK(co_await ending(stream.write("x")) == "fine");
  });
}

TEST_CASE("a time that is over already counts, though bytes are there") {
  Served served(1, echo);
  served.client([](Stream& stream) -> Task<void> {
    co_await stream.write("x");
    CHECK(co_await stream.wait_readable() == Wake::Readable);
    auto read = [](Stream& from) -> Task<void> {
      char byte;
      from.try_read({&byte, 1});
      co_return;
    };
    stream.end_by(std::chrono::steady_clock::now());
    CHECK(co_await ending(read(stream)) == "timeout");
    stream.end_by(std::chrono::steady_clock::now() + 1min);
    CHECK(co_await ending(read(stream)) == "fine");
  });
}

TEST_CASE("a peer that does not read holds its writer up, and only until the time limit") {
  Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
    stream->set_timeout(1s);
    co_await sleep_for(300ms);
    CHECK((co_await read_all(*stream)).size() > 0);
  });
  auto bytes = pattern(16 * 1024 * 1024);
  served.client([&](Stream& stream) -> Task<void> {
    stream.set_timeout(50ms);
    CHECK(co_await ending(stream.write(bytes)) == "timeout");
    CHECK(stream.bytes_out() < bytes.size());
    stream.close();
  });
}

TEST_CASE("wake ends a wait, also one that has not begun") {
  Served served(1,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.client([](Stream& stream) -> Task<void> {
    stream.wake();
    stream.wake();
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    auto timer = Executor::current()->after(5ms, [&] { stream.wake(); });
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    stream.set_timeout(20ms);
    CHECK(co_await ending(stream.wait_readable()) == "timeout");  // no wake is left over
    Input input(stream);
    stream.wake();
    CHECK(co_await input.fill() == Input::Filled::Woken);
  });
}

TEST_CASE("shut_down ends reading at once, and leaves time to say goodbye") {
  Served served(1, [](std::unique_ptr<Stream> stream) -> Task<void> {
    CHECK(co_await read_all(*stream) == "bye");
  });
  served.client([](Stream& stream) -> Task<void> {
    auto timer = Executor::current()->after(5ms, [&] { stream.shut_down(1s); });
    CHECK(co_await ending(stream.wait_readable()) == "shutdown");
    char byte;
    bool threw = false;
    try {
      stream.try_read({&byte, 1});
    } catch (const Disconnected& gone) {
      threw = gone.why() == Disconnected::Why::Shutdown;
    }
    CHECK(threw);
    CHECK(co_await ending(stream.wait_readable()) == "shutdown");
    co_await stream.write("bye");
    stream.finish();
  });
}

namespace {

Task<PeerSide> side_becomes(Stream& stream, PeerSide wanted) {
  for (int i = 0; i < 200 && stream.peer_side() != wanted; ++i) co_await sleep_for(10ms);
  co_return stream.peer_side();
}

}  // namespace

TEST_CASE("who does not read is told all the same that the peer has gone") {
  std::promise<PeerSide> ended, after_a_word;
  std::atomic<bool> open = false;
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    open = stream->peer_side() == PeerSide::Open;
    ended.set_value(co_await side_becomes(*stream, PeerSide::Ended));
    co_await stream->write("are you there?");
    after_a_word.set_value(co_await side_becomes(*stream, PeerSide::Gone));
    CHECK_FALSE(stream->out_of_grace());
    stream->shut_down(0ms);
    CHECK(stream->out_of_grace());
  });
  served.client([](Stream& stream) -> Task<void> {
    co_await sleep_for(50ms);
    stream.close();
  });
  CHECK(open);
  CHECK(ended.get_future().get() == PeerSide::Ended);
  CHECK(after_a_word.get_future().get() == PeerSide::Gone);
}

TEST_CASE("shut_down cuts a writer off after the grace time") {
  Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await sleep_for(200ms);
    stream->close();
  });
  auto bytes = pattern(16 * 1024 * 1024);
  served.client([&](Stream& stream) -> Task<void> {
    auto timer = Executor::current()->after(5ms, [&] { stream.shut_down(30ms); });
    CHECK(co_await ending(stream.write(bytes)) == "shutdown");
  });
}

TEST_CASE("a closed stream says so, to who waits and to later calls") {
  Served served(1,
                [](std::unique_ptr<Stream> stream) -> Task<void> { co_await read_all(*stream); });
  served.client([](Stream& stream) -> Task<void> {
    auto timer = Executor::current()->after(5ms, [&] { stream.close(); });
    CHECK(co_await ending(stream.wait_readable()) == "closed");
    CHECK(co_await ending(stream.write("x")) == "closed");
    CHECK(co_await ending(stream.wait_readable()) == "closed");
    stream.close();
    stream.finish();
  });
}

TEST_CASE("a connection that the peer resets is lost, not ended") {
  Served served(1, [](std::unique_ptr<Stream> stream) -> Task<void> {
    // Closing with unread bytes resets.
    co_await stream->wait_readable();
    stream->close();
  });
  served.client([](Stream& stream) -> Task<void> {
    co_await stream.write("unread");
    CHECK(co_await ending(read_all(stream)) == "closed");
  });
}

TEST_CASE("linger: the last reply arrives although the peer goes on talking") {
  Served served(2, [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await stream->wait_readable();
    co_await stream->write("421 enough\r\n");
    co_await linger(*stream);
    CHECK(co_await ending(stream->write("x")) == "closed");
  });
  served.client([](Stream& stream) -> Task<void> {
    co_await stream.write(pattern(100'000));
    co_await sleep_for(20ms);
    CHECK(co_await read_all(stream) == "421 enough\r\n");
  });
}

TEST_CASE("a coroutine that is destroyed while it waits leaves nothing behind") {
  Served served(1, [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await stream->write("hello");
    co_await read_all(*stream);
  });
  served.client([](Stream& stream) -> Task<void> {
    CHECK(co_await read_exactly(stream, 5) == "hello");
    struct Eager {
      struct promise_type {
        Eager get_return_object() {
          return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
      };
      std::coroutine_handle<promise_type> handle;
    };
    auto start = [](Stream& on) -> Eager { co_await on.wait_readable(); };
    auto waiting = start(stream);
    waiting.handle.destroy();
    stream.wake();
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    waiting = start(stream);
    stream.wake();
    waiting.handle.destroy();
    co_await yield_now();
    stream.set_timeout(10ms);
    CHECK(co_await stream.wait_readable() == Wake::Woken);
    CHECK(co_await ending(stream.wait_readable()) == "timeout");
  });
}

}  // namespace hikyaku::net
