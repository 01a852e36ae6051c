// STARTTLS (RFC 9051 §6.2.1).
#include "imapd/session.h"

namespace hikyaku::imapd {

Task<imap::Reply> Session::handle(imap::StartTlsCommand) {
  if (!services_.tls) co_return imap::bad("STARTTLS is not available here");
  imap::append_reply(out(), tag_, imap::ok("Begin TLS now"));
  co_await output_.flush();
  // What came in clear behind the command must not be taken for what comes under TLS.
  input_.drop();
  used_ = 0;
  parser_ = imap::Parser(settings_.limits_before_login);
  if (!co_await start_tls())
    throw net::Disconnected(net::Disconnected::Why::Tls, "the TLS handshake failed");
  co_return kAnswered;
}

}  // namespace hikyaku::imapd
