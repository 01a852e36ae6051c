// What mailboxes have already, so that undelete puts nothing into one a second time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/core.h"
#include "base/task.h"
#include "mailbox/messages.h"

namespace hikyaku::app {

/// SHA-256 of all bytes of a message; empty if they cannot be read. `core` outlives the task.
Task<std::string> digest_of(Core& core, store::BlobId blob, std::string prefix);

/// One account's messages, as far as they could be the same as those that are to come back: looked
/// for by size and Message-ID, and compared by all of their bytes.
class PresentMessages {
 public:
  /// Stands for a mailbox that is still to be made.
  static constexpr mailbox::MailboxId kToBeMade = 0;

  /// `core` must outlive it.
  PresentMessages(Core& core, store::AccountId account)
      : core_(core), account_(account), known_{{kToBeMade, {}}} {}

  /// has() may be asked for this one. All of them first.
  void expect(const mailbox::MessageRecord& record) { wanted_.insert(key_of(record)); }
  /// Whether the mailbox has a message with these bytes. One that cannot be read is like no other.
  Task<bool> has(mailbox::MailboxId mailbox, const mailbox::MessageRecord& record);
  /// It is about to be put there.
  void add(mailbox::MailboxId mailbox, const mailbox::MessageRecord& record);

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  ///< size, hash of the Message-ID
  struct Copy {
    store::BlobId blob = 0;
    std::string prefix;
    std::string digest = {};  ///< of all bytes; worked out when it is asked for
  };
  using Copies = std::multimap<Key, Copy>;

  static Key key_of(const mailbox::MessageRecord& record) {
    return {record.size, record.digest.message_id_hash};
  }
  Task<Copies> look_into(mailbox::MailboxId mailbox) const;

  Core& core_;
  store::AccountId account_;
  std::set<Key> wanted_;
  std::map<mailbox::MailboxId, Copies> known_;
};

}  // namespace hikyaku::app
