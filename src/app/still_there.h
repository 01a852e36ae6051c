// What an account has already, so that an import or a restore brings nothing twice.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "app/core.h"
#include "base/task.h"
#include "mailbox/messages.h"

namespace hikyaku::app {

/// The messages of an account, or of some of its mailboxes, at one time, by their size, Message-ID
/// and arrival: some 100 bytes of memory each. Those of which that does not decide are compared by
/// all of their bytes: a Message-ID is what its sender makes it. Each of them stands for one
/// message that is to come: of one that lay in two mailboxes and lies in one, the other comes back.
class StillThere {
 public:
  /// `core` must outlive it.
  StillThere(Core& core, store::AccountId account) : core_(core), account_(account) {}

  /// Goes through all mailboxes.
  Task<void> look();
  /// Through this one, unless it has been.
  Task<void> look_into(mailbox::MailboxId mailbox);

  /// A message that is to come back, as far as it is not its bytes.
  struct Wanted {
    std::string mailbox;
    mailbox::Flags system_flags = 0;
    std::vector<std::string> keywords;
  };
  struct Place {
    mailbox::MailboxId mailbox = 0;
    mailbox::Uid uid = 0;
    /// Of all bytes, "" when they cannot be read; worked out when it is asked for.
    std::unique_ptr<std::string> digest = {};
    bool is_taken = false;                  ///< it stands for a message that is to come back
    std::unique_ptr<Wanted> moved_of = {};  ///< that is not of the same mailbox
  };
  /// Those with the bytes of a message. One that cannot be read is like no other.
  struct Same {
    std::vector<Place*> places;    ///< with its arrival, wherever they are
    std::vector<Place*> of_other;  ///< arrivals, in its mailbox, if it has a Message-ID
  };

  /// `mailbox` is where the message belongs, 0 if that is still to be made; `body` is all of it,
  /// and outlives the task.
  Task<Same> find(mailbox::MailboxId mailbox, const mailbox::Digest& digest, Time received,
                  std::string_view body);
  /// One in the mailbox where the message belongs stands for it. If it stood for one of another
  /// mailbox until now, that is `instead`. False: there is none.
  static bool take_own(const Same& same, mailbox::MailboxId mailbox,
                       std::optional<Wanted>& instead);
  /// One in any other mailbox does: it was moved there. False: there is none.
  static bool take_moved(const Same& same, const Wanted& wanted);

 private:
  struct Key {
    std::uint64_t size = 0;
    std::uint64_t message_id = 0;
    std::int64_t received = 0;  ///< in seconds, as backups and exports have it
    auto operator<=>(const Key&) const = default;
  };
  static Key key_of(const mailbox::Digest& digest, std::uint64_t size, Time received);
  Task<bool> has_bytes(Place& place, const std::string& digest);

  Core& core_;
  store::AccountId account_;
  std::set<mailbox::MailboxId> looked_into_;
  std::multimap<Key, Place> places_;
};

}  // namespace hikyaku::app
