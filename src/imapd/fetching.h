// One FETCH on its way. Private to imapd/.
#pragma once

#include <string>
#include <vector>

#include "imap/fetch.h"
#include "imapd/session.h"

namespace hikyaku::imapd {

struct Session::Fetching {
  imap::FetchItems items;
  std::vector<std::string> labels;  ///< of items.bodies
  std::optional<std::uint64_t> changed_since;
  SequenceRanges sequences;
  bool needs_digest = false;            ///< ENVELOPE, BODYSTRUCTURE, BODY, header fields
  bool needs_bodies = false;            ///< what the records do not hold
  bool missing = false;                 ///< a message was gone, and nobody remembers it
  std::optional<imap::Reply> failed;    ///< something could not be read
  std::vector<mailbox::Uid> just_seen;  ///< of the present piece; ascending

  bool skips(const mailbox::MessageSummary& row) const {
    return changed_since && row.changed <= *changed_since;
  }
};

}  // namespace hikyaku::imapd
