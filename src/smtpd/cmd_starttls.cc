// STARTTLS (RFC 3207).
#include "smtp/replies.h"
#include "smtpd/session.h"

namespace hikyaku::smtpd {

Task<smtp::Reply> Session::handle(smtp::Starttls) {
  write(smtp::replies::ready_for_tls());
  co_await output_.flush();
  // What came in clear behind the command must not be taken for what comes under TLS.
  input_.drop();
  lines_.reset();
  if (!co_await start_tls())
    throw net::Disconnected(net::Disconnected::Why::Tls, "the TLS handshake failed");
  // The client speaks next: there is no reply under TLS.
  co_return kAnswered;
}

}  // namespace hikyaku::smtpd
