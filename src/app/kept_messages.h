// Messages of a mailbox as export and backup read them: piece by piece, with their flags as names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mailbox/messages.h"
#include "store/store.h"

namespace hikyaku::app {

struct KeptMessage {
  mailbox::MessageSummary summary;
  store::BlobId blob = 0;  ///< 0: it was expunged meanwhile
  std::string prefix;
  std::string header_fields;  ///< as its digest has them: From, Subject and others
};

/// The next hundred, from UID `first` on; none: there are no more.
std::vector<KeptMessage> kept_messages(store::Reader& reader, store::AccountId account,
                                       mailbox::MailboxId mailbox, mailbox::Uid first);

/// "\\Seen" and the like, then keywords. `keywords`: the mailbox's (mailbox::keywords).
std::vector<std::string> flag_names(mailbox::Flags flags, const std::vector<std::string>& keywords);
/// The flag of such a name, in any case; 0: it is a keyword.
mailbox::Flags system_flag(std::string_view name);

}  // namespace hikyaku::app
