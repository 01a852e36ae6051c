// IDLE (RFC 9051 §6.3.13).
#include "base/text.h"
#include "imapd/session.h"

namespace hikyaku::imapd {
namespace {

/// "DONE" and what a hand may add.
constexpr std::size_t kDoneLine = 64;

}  // namespace

Task<imap::Reply> Session::handle(imap::IdleCommand) {
  parser_.expect_line(kDoneLine);
  imap::append_continuation(out(), "idling");
  co_await refresh(Expunges::Tell);
  idling_ = true;
  if (services_.activity) services_.activity->idling = true;
  auto event = co_await next_event_or_change();
  while (!event) {
    co_await refresh(Expunges::Tell);
    event = co_await next_event_or_change();
  }
  idling_ = false;
  if (services_.activity) services_.activity->idling = false;
  if (*event != Event::Line) co_return parser_.reply();
  if (!iequals(trim_space(parser_.line()), "DONE")) co_return imap::bad("IDLE ends with DONE");
  co_return imap::ok("Idled");
}

}  // namespace hikyaku::imapd
