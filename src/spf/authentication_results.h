// What a verdict says in the Authentication-Results field (RFC 8601 §2.7.2).
#pragma once

#include "mime/authentication_results.h"
#include "spf/check.h"
#include "spf/verdict.h"

namespace hikyaku::spf {

/// "spf=fail (…in words…) smtp.mailfrom=anna@example.org", or smtp.helo= when that was checked. The
/// null path shows as the postmaster@HELO that was asked about (RFC 7208 §2.4). The writer of the
/// field makes what strangers said harmless.
mime::AuthenticationMethod authentication_method(const Verdict& verdict, const Query& query);

}  // namespace hikyaku::spf
