// What a verdict says in the Authentication-Results field (RFC 8601 §2.7.1, RFC 6008).
#pragma once

#include "dkim/verdict.h"
#include "mime/authentication_results.h"

namespace hikyaku::dkim {

/// "dkim=fail (2048-bit key) reason="the body was changed …" header.d=example.org header.s=…
/// header.a=… header.b=…", and header.i= where the signer gave more than its domain.
mime::AuthenticationMethod authentication_method(const Verdict& verdict);

}  // namespace hikyaku::dkim
