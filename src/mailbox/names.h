// Names of mailboxes: paths of levels joined by "/", in UTF-8 (Net-Unicode, RFC 5198).
//
// JMAP allows "/" within a name. It is written "%2F" in paths, and a "%" that stands before "2F" or
// "25" is written "%25", so that every name has one path and every path one name. All other "%"
// stay as they are: a mailbox that an IMAP client calls "100%" keeps its name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mailbox/types.h"

namespace hikyaku::mailbox {

/// The levels of a path, unescaped, in NFC; INBOX in any case as the first level becomes "INBOX". A
/// "/" at the end is ignored (RFC 9051 §6.3.4). Invalid: an empty level, one longer than
/// kMaxMailboxNameLength, more than kMaxMailboxDepth levels, ill-formed UTF-8, control characters,
/// noncharacters.
Result<std::vector<std::string>> parse_path(std::string_view path);

/// One level (as JMAP has it) in NFC. Invalid: as above.
Result<std::string> normalize_name(std::string_view name);

/// A level as it stands in a path.
std::string escape_name(std::string_view name);

/// The path of these levels.
std::string format_path(const std::vector<std::string>& levels);

/// The order of listings: level by level, INBOX before all others.
bool path_before(std::string_view a, std::string_view b);

}  // namespace hikyaku::mailbox
