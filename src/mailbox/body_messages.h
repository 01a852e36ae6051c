// From a body back to the messages that have it: for telling people what is damaged.
#pragma once

#include <string>
#include <vector>

#include "mailbox/types.h"
#include "store/store.h"

namespace hikyaku::mailbox {

/// A message by the names that people know.
struct BodyMessage {
  AccountId account = 0;
  MailboxId mailbox = 0;
  std::string path;  ///< of its mailbox
  Uid uid = 0;
};

/// The messages with this body, `most` of them. Those that were expunged and can be brought back
/// are none.
std::vector<BodyMessage> messages_of_body(store::Reader& reader, store::BlobId body,
                                          std::size_t most);

}  // namespace hikyaku::mailbox
