#include "base/turn.h"

#include "base/async.h"
#include "imapd/session.h"

namespace hikyaku::imapd {

Task<void> Session::take_turn(Turn& turn) {
  co_await yield_now();
  co_await go_on();
  turn.begin();
}

}  // namespace hikyaku::imapd
