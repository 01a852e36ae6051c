// What was found out about a sender, as the Authentication-Results field says it and as the story
// keeps it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mime/authentication_results.h"
#include "receive/authentication.h"
#include "receive/receiver.h"
#include "story/story.h"

namespace hikyaku::receive {

/// Everything in the terms of RFC 8601 §2.7: iprev, spf, dkim for each signature, arc and dmarc,
/// each with its reason in a comment.
mime::AuthenticationResults authentication_results(const SenderFindings& found,
                                                   std::string_view host_name);
/// The same as a whole field with its line end (§2.2).
std::string authentication_results_field(const SenderFindings& found, std::string_view host_name);
/// The field of a message that one of our users submitted: auth=pass (RFC 8601 §2.7.4).
std::string submitted_results_field(const auth::Login& login, std::string_view host_name);
/// The field that says that nothing was checked.
std::string unchecked_results_field(std::string_view host_name);

/// One finding for each check and one for the decision, as story::tell reads them: what is in them
/// as "key=value; key=value".
std::vector<story::Finding> story_findings(const SenderFindings& found);
/// Which check says that the envelope's sender is probably somebody who did not send this: SPF, or
/// DMARC when SPF does not vouch for it; empty when none does. Whoever sends from an address of its
/// own, as lists do that break signatures, gets its bounces; so does who is shown by a signature to
/// be of the domain that the bounces go to, whatever way the message has come.
std::string_view doubt_about_sender(const SenderFindings& found);
/// No notice goes to this sender: by what check ("spf", "dmarc").
story::Finding withheld_notices(std::string_view check, const std::string& sender);

}  // namespace hikyaku::receive
