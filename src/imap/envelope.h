// The text of FETCH ENVELOPE (RFC 9051 §7.5.2, RFC 3501 §7.4.2).
#pragma once

#include <string>
#include <string_view>

#include "mime/header.h"

namespace hikyaku::imap {

/// "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of a message's header.
/// Values are unfolded and otherwise as they stand (encoded words stay encoded); Sender and
/// Reply-To default to From. Finished text: with literals where quoted strings cannot be.
std::string envelope(mime::HeaderView header);

/// The same from a header whose fields are all of interest (what a mailbox kept of it).
std::string envelope(std::string_view header);

/// A string of a response: quoted when it is 7-bit without CR, LF and NUL and not too long, else a
/// literal; NUL becomes space, which no form can carry.
std::string response_string(std::string_view text);
/// NIL for empty text, else response_string.
std::string response_nstring(std::string_view text);

}  // namespace hikyaku::imap
