// What an account has already, wherever it is, so that a restore brings back nothing twice.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/core.h"
#include "base/task.h"
#include "mailbox/messages.h"

namespace hikyaku::app {

/// All messages of an account at one time, by their size, Message-ID and arrival: some 150 bytes of
/// memory each. Those of which that does not decide are compared by all of their bytes. Each of
/// them stands for one message that is to come back: of one that lay in two mailboxes and lies in
/// one, the other comes back.
class StillThere {
 public:
  /// `core` must outlive it.
  StillThere(Core& core, store::AccountId account) : core_(core), account_(account) {}

  /// Goes through all mailboxes, once.
  Task<void> look();

  /// A message that is to come back, as far as it is not its bytes.
  struct Wanted {
    std::string mailbox;
    mailbox::Flags system_flags = 0;
    std::vector<std::string> keywords;
  };
  struct Place {
    mailbox::MailboxId mailbox = 0;
    mailbox::Uid uid = 0;
    std::string digest = {};                ///< of all bytes; worked out when it is asked for
    bool is_taken = false;                  ///< it stands for a message that is to come back
    std::unique_ptr<Wanted> moved_of = {};  ///< that is not of the same mailbox
  };
  using Same = std::vector<Place*>;

  /// Those with these bytes and this arrival. One that cannot be read is like no other. `body` is
  /// all of the message; it outlives the task.
  Task<Same> find(const mailbox::Digest& digest, Time received, std::string_view body);
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
  Task<void> look_into(mailbox::MailboxId mailbox);

  Core& core_;
  store::AccountId account_;
  std::multimap<Key, Place> places_;
};

}  // namespace hikyaku::app
