// A chain's verdict for others to read: Authentication-Results, JSON, a line of words.
#pragma once

#include <string>

#include "arc/verifier.h"
#include "base/phrase.h"

namespace hikyaku::arc {

/// "arc=pass (i=2, sealed by beta.test, alpha.test)" (RFC 8617 §10.1).
mime::AuthenticationMethod authentication_method(const Verdict& verdict);

/// The hops from the newest on, a line each, and the problem; printable.
std::string details(const Verdict& verdict, Language language);

/// {"result", "problem", "header_problem", "hops": [{"instance", "domain", "selector",
/// "signed_at", "results"}], "lookups"}; "results" is the value of its ARC-Authentication-Results
/// or null.
std::string describe_json(const Verdict& verdict);

}  // namespace hikyaku::arc
