// Listing an account's mailboxes in pieces, for who must not keep an event loop waiting: there may
// be 10,000 with paths of a kilobyte. list_mailboxes() is all of it at once.
#pragma once

#include <string>
#include <vector>

#include "mailbox/mailboxes.h"

namespace hikyaku::mailbox {

/// The mailboxes with ids above `after`, at most `most`, by id. Without path and has_children. Call
/// it until it gives fewer, on one snapshot.
std::vector<MailboxInfo> read_mailboxes(store::Reader& reader, AccountId account, MailboxId after,
                                        std::size_t most);
/// Of all that read_mailboxes() gave what list_mailboxes() gives. Pure; may take 200 ms.
std::vector<MailboxInfo> arrange_mailboxes(std::vector<MailboxInfo> mailboxes);

/// The orphaned_subscriptions() behind the path `after`, at most `most`, in the order of their
/// bytes.
std::vector<std::string> read_orphaned_subscriptions(store::Reader& reader, AccountId account,
                                                     std::string_view after, std::size_t most);

}  // namespace hikyaku::mailbox
