// What is read from a stream and written to it goes through buffers.
#include <algorithm>
#include <doctest/doctest.h>

#include "net/conversation_test.h"
#include "net/input.h"
#include "net/output.h"
#include "net/served.h"

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
