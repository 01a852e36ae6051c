// The text of FETCH ENVELOPE (RFC 9051 §7.5.2, RFC 3501 §7.4.2).
#pragma once

#include <string>
#include <string_view>

#include "mime/header.h"

namespace hikyaku::imap {

/// "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of a message's header.
/// Values are unfolded and otherwise as they stand (encoded words stay encoded); Sender and
/// Reply-To default to From. Finished text: with literals where quoted strings cannot be. It is
/// stored with every message, so hostile fields are cut: 64 KB of a text, 256 KB and 5,000
/// addresses of a list.
std::string envelope(mime::HeaderView header);

/// The same from a header whose fields are all of interest (what a mailbox kept of it).
std::string envelope(std::string_view header);

}  // namespace hikyaku::imap
