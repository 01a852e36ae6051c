// Maildrop: the inbox as one POP3 session numbers it (RFC 1939 §3, §5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

/// Some eight bytes of memory a message: there may be a million.
class Maildrop {
 public:
  struct Message {
    mailbox::Uid uid = 0;
    std::uint64_t size = 0;
  };

  /// The messages that are in the inbox now. NotFound: there is no inbox. TooLarge: they would take
  /// more than `most_memory` bytes.
  static Task<Result<Maildrop>> open(store::Store& store, mailbox::AccountId account,
                                     std::uint64_t most_memory = UINT64_MAX);

  std::size_t size() const { return uids_.size(); }
  /// By number, from 1; nothing if there is none or it is deleted.
  std::optional<Message> find(std::uint32_t number) const;
  /// Of one that is there: DELE was said.
  void mark_deleted(std::uint32_t number);
  /// RETR was said: it becomes \Seen at QUIT.
  void mark_retrieved(std::uint32_t number);
  /// Without the deleted ones.
  std::uint64_t count() const { return count_; }
  std::uint64_t octets() const { return octets_; }
  /// The same for a message in every session: "5f3a1c.17".
  std::string uidl(const Message& message) const;
  /// All marks are taken back (RSET).
  void undelete_all();

  mailbox::AccountId account() const { return account_; }
  mailbox::MailboxId mailbox() const { return mailbox_; }
  /// Bytes that it holds, about.
  std::size_t memory() const;

  /// Erases what is deleted and marks what was retrieved, in pieces; durable when it returns. On an
  /// error some pieces may be done.
  Task<Result<void>> update(mailbox::BulkContext context);

 private:
  mailbox::AccountId account_ = 0;
  mailbox::MailboxId mailbox_ = 0;
  std::uint32_t uid_validity_ = 0;
  void add(const Message& message);
  void reserve(std::size_t count);
  std::uint64_t size_of(std::size_t index) const;

  std::vector<mailbox::Uid> uids_;
  std::vector<std::uint32_t> sizes_;  ///< kLarge: it is in large_
  std::map<std::size_t, std::uint64_t> large_;
  std::vector<bool> deleted_, retrieved_;  ///< for every message
  std::uint64_t count_ = 0;
  std::uint64_t octets_ = 0;
};

}  // namespace hikyaku::pop3d
