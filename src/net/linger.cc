#include "net/linger.h"

#include <array>

namespace hikyaku::net {

Task<void> linger(Stream& stream, std::size_t limit, std::chrono::milliseconds time) {
  stream.finish();
  try {
    stream.set_total_timeout(time);
    std::size_t dropped = 0;
    while (dropped < limit) {
      std::array<char, 2048> bytes;
      auto count = stream.try_read(bytes);
      if (!count) {
        co_await stream.wait_readable();
      } else if (*count == 0) {
        break;
      } else {
        dropped += *count;
      }
    }
  } catch (const Disconnected&) {
    // Nobody is there to be told.
  }
  stream.close();
}

}  // namespace hikyaku::net
