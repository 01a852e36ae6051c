#include "base/turn.h"

#include "base/async.h"
#include "imapd/session.h"

namespace hikyaku::imapd {

Task<void> Session::take_turn(Turn& turn) {
  co_await yield_now();
  co_await go_on();
  turn.begin();
}

Task<void> Session::take_turn_within_line(Turn& turn) {
  co_await yield_now();
  // Whom nobody listens to any more learns so by writing.
  co_await output_.flush();
  turn.begin();
}

}  // namespace hikyaku::imapd
