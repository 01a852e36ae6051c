#include "mailbox/body_messages.h"

#include "mailbox/change.h"
#include "mailbox/rows.h"
#include "store/owners.h"

namespace hikyaku::mailbox {

std::vector<BodyMessage> messages_of_body(store::Reader& reader, store::BlobId body,
                                          std::size_t most) {
  std::vector<BodyMessage> found;
  for (const auto& owner : store::owners_of(reader, body, most)) {
    Decoder fields(owner);
    auto account = fields.u32_be();
    // Others than emails have bodies, too: the queue, reports.
    if (fields.u8() != kTableEmail) continue;
    auto row = reader.get(owner);
    EmailRow email;
    if (!row || !decode(*row, email)) continue;
    for (auto place : email.places)
      if (found.size() < most)
        found.push_back(
            {account, place.mailbox, path_of(reader, account, place.mailbox), place.uid});
  }
  return found;
}

}  // namespace hikyaku::mailbox
