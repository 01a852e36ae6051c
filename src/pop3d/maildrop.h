// Maildrop: the inbox as one POP3 session numbers it (RFC 1939 §3, §5).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "mailbox/bulk.h"
#include "store/store.h"

namespace hikyaku::pop3d {

/// Which maildrops are open, for all event loops together.
class MaildropLocks {
 public:
  /// Gives the maildrop free when destroyed.
  class Lock {
   public:
    Lock(MaildropLocks& locks, mailbox::AccountId account) : locks_(locks), account_(account) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { locks_.release(account_); }

   private:
    MaildropLocks& locks_;
    mailbox::AccountId account_;
  };
  /// Null when another session has it.
  std::unique_ptr<Lock> try_lock(mailbox::AccountId account);

 private:
  void release(mailbox::AccountId account);

  std::mutex mutex_;
  std::set<mailbox::AccountId> locked_;
};

class Maildrop {
 public:
  struct Message {
    mailbox::Uid uid = 0;
    std::uint64_t size = 0;
    bool deleted = false;    ///< DELE was said
    bool retrieved = false;  ///< RETR was said: becomes \Seen at QUIT
  };

  /// The messages that are in the inbox now. NotFound: there is no inbox.
  static Task<Result<Maildrop>> open(store::Store& store, mailbox::AccountId account);

  std::size_t size() const { return messages_.size(); }
  /// By number, from 1; null if there is none or it is deleted.
  Message* find(std::uint32_t number);
  /// Without the deleted ones.
  std::uint64_t count() const;
  std::uint64_t octets() const;
  /// The same for a message in every session: "5f3a1c.17".
  std::string uidl(const Message& message) const;
  /// All marks are taken back (RSET).
  void undelete_all();

  mailbox::AccountId account() const { return account_; }
  mailbox::MailboxId mailbox() const { return mailbox_; }

  /// Erases what is deleted and marks what was retrieved, in pieces; durable when it returns. On an
  /// error some pieces may be done.
  Task<Result<void>> update(mailbox::BulkContext context);

 private:
  mailbox::AccountId account_ = 0;
  mailbox::MailboxId mailbox_ = 0;
  std::uint32_t uid_validity_ = 0;
  std::vector<Message> messages_;
};

}  // namespace hikyaku::pop3d
