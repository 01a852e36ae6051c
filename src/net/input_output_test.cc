// What is read from a stream and written to it goes through buffers.
#include <algorithm>
#include <doctest/doctest.h>

#include "net/conversation_test.h"
#include "net/fake_stream.h"
#include "net/input.h"
#include "net/output.h"
#include "net/served.h"
#include "testing/test_loop.h"

namespace hikyaku::net {

using testing::Served;

TEST_CASE("Input: an idle one holds nothing, a full one refuses to grow, bytes stay in order") {
  auto bytes = pattern(200'000);
  Served served(1, [&](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await stream->write(bytes);
    stream->finish();
    co_await read_all(*stream);
  });
  served.client([&](Stream& stream) -> Task<void> {
    Input input(stream);
    CHECK(input.available().empty());
    std::string got;
    while (co_await input.fill() == Input::Filled::Bytes) {
      // Take an odd part, so that the rest has to move.
      while (input.fill_now()) {
      }
      auto take = std::max<std::size_t>(1, input.available().size() * 3 / 4);
      got += input.available().substr(0, take);
      input.consume(take);
    }
    got += input.available();
    CHECK(got == bytes);
  });
}

namespace {

/// For a driver that would go on for ever.
struct Patience {
  std::chrono::steady_clock::time_point until =
      std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool over() const { return std::chrono::steady_clock::now() > until; }
};

/// A driver whose peer always has the next bytes there already; ends when `others_ran`.
Task<void> driver_that_reads(Input& input, FakeStream& stream, const bool& others_ran) {
  Patience patience;
  while (!others_ran && !patience.over()) {
    stream.receive("x\r\n");
    if (!input.fill_now()) co_await input.fill();
    input.consume(input.available().size());
  }
}

/// The same with many commands in what was read.
Task<void> driver_that_works(Input& input, FakeStream&, const bool& others_ran) {
  Patience patience;
  while (!others_ran && !patience.over()) {
    if (input.turn_is_over()) co_await input.end_turn();
  }
}

}  // namespace

TEST_CASE("Input: others run though the peer never lets us wait, and what they end is ended") {
  for (auto driver : {driver_that_reads, driver_that_works}) {
    hikyaku::testing::TestLoop loop;
    auto [stream, peer] = FakeStream::pair();
    Input input(*stream);
    for (int i = 0; i < 3; ++i) {  // not only once
      auto others_ran = false;
      loop.post([&] { others_ran = true; });
      CHECK(loop.run(ending(driver(input, *stream, others_ran))) == "fine");
      CHECK(others_ran);
    }
    auto never = false;
    loop.post([&stream] { stream->shut_down(std::chrono::seconds(5)); });
    CHECK(loop.run(ending(driver(input, *stream, never))) == "shutdown");
  }
}

TEST_CASE("Output: small pieces are gathered, large ones pass, in order") {
  Served served(1, echo);
  served.client([](Stream& stream) -> Task<void> {
    Output output(stream);
    std::string expected;
    for (int i = 0; i < 40; ++i) {
      auto piece = pattern(static_cast<std::size_t>(i) * 997);
      expected += piece;
      co_await output.write(piece);
      if (i < 4) CHECK(stream.bytes_out() == 0);  // gathered
    }
    output.append("end");
    co_await output.flush();
    CHECK(output.empty());
    stream.finish();
    CHECK(co_await read_all(stream) == expected + "end");
  });
}

}  // namespace hikyaku::net
