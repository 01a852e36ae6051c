// One operation's writes to an account: the account row, counters, summary rows and the change row,
// each read once and written once. mailbox/'s own; every public function that writes makes one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/messages.h"
#include "mailbox/rows.h"
#include "mailbox/summary_rows.h"

namespace hikyaku::mailbox {

/// A mailbox while a Change works on it.
struct OpenMailbox {
  MailboxId id = 0;
  MailboxRow row;
  Counters counters;
  bool row_changed = false;
  bool counters_changed = false;
  bool touched = false;  ///< in this change: highest_change moves
};

/// Nothing is written before finish() but the rows that no other operation of the step reads back
/// through a Change (messages, emails, threads); so an operation first checks everything, then
/// begins to write, and an error leaves the transaction as it was. One at a time per account.
class Change {
 public:
  Change(store::Transaction& tx, AccountId account, Time now);

  store::Transaction& tx() { return tx_; }
  AccountId account() const { return account_; }
  Time now() const { return now_; }
  AccountRow& row() { return row_; }

  /// NotFound once it has been removed, whatever is still left of it. Who writes without looking
  /// for a mailbox first asks this.
  Result<void> check_account() const;

  /// nullptr if there is none. Selectable ones only, unless told otherwise.
  OpenMailbox* find(MailboxId mailbox, bool selectable_only = true);
  /// A mailbox that this change makes.
  OpenMailbox& add(MailboxId id, MailboxRow row);
  /// Forgets a mailbox that this change has removed.
  void drop(MailboxId mailbox);

  /// The number of this change: one per transaction. Calling it makes the transaction a change.
  ChangeNumber number();
  /// True for a change number of a time that a restore took back: who names it knows messages as
  /// they have never been.
  bool is_lost(ChangeNumber number) const;
  /// What is recorded of it.
  ChangeRow& record() { return record_; }
  ChangeRow::Mailbox& record(OpenMailbox& mailbox);

  /// The next UIDVALIDITY: it only grows, also over a lost future.
  std::uint32_t next_uid_validity();
  /// The next ids: they grow in the same way.
  MailboxId next_mailbox();
  EmailId next_email();
  /// Makes sure that UIDs of this mailbox have not been given out in a future that a restore took
  /// back: a new UIDVALIDITY with the first UID of an epoch. Then room for `count` UIDs: TooLarge,
  /// Unavailable.
  Result<void> reserve_uids(const OpenMailbox& mailbox, std::size_t count) const;
  void renew_uid_validity(OpenMailbox& mailbox);

  SummaryGroup& group(MailboxId mailbox, std::uint32_t number);
  /// nullptr if there is no such message (or it is not visible).
  MessageSummary* find(const OpenMailbox& mailbox, Uid uid);
  void mark_group(MailboxId mailbox, Uid uid);

  /// QuotaExceeded.
  Result<void> check_quota(std::uint64_t bytes) const;

  /// Writes it all. Nothing is written if nothing was changed.
  void finish();

 private:
  struct Group {
    SummaryGroup rows;
    bool changed = false;
  };
  Group& load_group(MailboxId mailbox, std::uint32_t number);
  void enter_epoch();

  store::Transaction& tx_;
  AccountId account_;
  Time now_;
  AccountRow row_;
  AccountRow row_before_;
  bool gone_ = false;  ///< there is no such account (any more)
  bool numbered_ = false;
  ChangeRow record_;
  std::map<MailboxId, std::unique_ptr<OpenMailbox>> mailboxes_;
  std::map<std::pair<MailboxId, std::uint32_t>, std::unique_ptr<Group>> groups_;
};

/// The visible messages among `uids`, each once, in ascending order.
std::vector<MessageSummary> existing(Change& change, const OpenMailbox& box,
                                     std::span<const Uid> uids);

/// The counters' share of one message, added or taken away.
void count_message(Counters& counters, const MessageSummary& message, int sign);

// keywords.cc
/// The keywords of a mailbox by number.
std::vector<std::string> load_keywords(store::Reader& reader, AccountId account, MailboxId mailbox);
/// The bits of `names`. Those that are missing are added while there is room; `all` is false when
/// one could not be.
struct Interned {
  Flags bits = 0;
  bool all = true;
};
bool is_keyword(std::string_view name);
Interned intern(Change& change, OpenMailbox& mailbox, const std::vector<std::string>& names);
/// The names of the keyword bits of `flags`.
std::vector<std::string> names_of(Flags flags, const std::vector<std::string>& keywords);

/// Flags of one mailbox as those of another. Keywords that the other has no room for are lost.
class FlagsTranslator {
 public:
  FlagsTranslator(Change& change, OpenMailbox& from, OpenMailbox& to)
      : change_(change), to_(to), same_(from.id == to.id) {
    if (!same_) names_ = load_keywords(change.tx(), change.account(), from.id);
  }
  Flags operator()(Flags flags) {
    if (same_) return flags;
    auto system = flags & ((Flags{1} << kFirstKeyword) - 1);
    auto keywords = flags & ~system;
    if (keywords == 0) return system;
    auto known = translated_.find(keywords);
    if (known == translated_.end())
      known = translated_.emplace(keywords, intern(change_, to_, names_of(keywords, names_)).bits)
                  .first;
    return system | known->second;
  }

 private:
  Change& change_;
  OpenMailbox& to_;
  bool same_;
  std::vector<std::string> names_;
  std::map<Flags, Flags> translated_;
};

// threads.cc
/// What is known when an email enters a thread, and need not be read again.
struct Joining {
  bool new_email = false;  ///< it lies nowhere yet
  bool here = false;       ///< of a new one: the mailbox has another of its thread
};
/// The thread that a new email with these hashes belongs to; `email` itself begins a new one. The
/// hashes lead to it from now on.
struct AssignedThread {
  ThreadId thread = 0;
  bool here = false;  ///< `mailbox` has an email of it
};
AssignedThread assign_thread(Change& change, const Digest& digest, EmailId email,
                             MailboxId mailbox);
/// The email lies in a mailbox (once more), or no longer. Gives the change of the number of threads
/// in the mailbox: -1, 0 or 1.
int enter_thread(Change& change, ThreadId thread, MailboxId mailbox, EmailId email,
                 Joining joining);
int leave_thread(Change& change, ThreadId thread, MailboxId mailbox, EmailId email);
bool thread_is_empty(store::Reader& reader, AccountId account, ThreadId thread);

// places.cc
/// What is written for one new message: the record (its ids already set), under `uid`.
struct NewPlace {
  Uid uid = 0;
  Flags flags = 0;
  ChangeNumber changed = 0;
  Joining joining = {};
};
/// Writes message row, summary and thread rows. Not: email row, counters, change record.
/// Gives the change of the number of threads in the mailbox.
int write_place(Change& change, MailboxId mailbox, const MessageRecord& record,
                const NewPlace& place);
/// Adds a visible message to counters, quota and record.
void count_in(Change& change, OpenMailbox& mailbox, const MessageSummary& message, int threads);
struct Removed {
  int threads = 0;  ///< change of the number of threads in the mailbox
  store::BlobId blob = 0;
};
/// Takes the message's place out of the email row (and the email away with its last one), out of
/// the thread and out of its summary group. Its message row is left.
Removed remove_place(Change& change, MailboxId mailbox, const MessageSummary& message);
/// Removes a visible message from counters, quota and record.
void count_out(Change& change, OpenMailbox& mailbox, const MessageSummary& message, int threads);

/// Another place for an existing email; or, when it has kMaxPlaces, a new email with its body.
/// Changes `record`'s ids; writes the email row.
Joining add_place(Change& change, MessageRecord& record, Place place);
/// A new email of this body: its id and blob into `record`, its thread, its row.
Joining add_email(Change& change, MessageRecord& record, const store::StagedBlob* body,
                  Place place);

/// The message row, which must be there.
MessageRecord load_record(Change& change, MailboxId mailbox, Uid uid);

// expunge.cc
/// Removes messages so that they can be brought back for a while.
class Expunger {
 public:
  Expunger(Change& change, MailboxId mailbox, std::string path, std::uint32_t uid_validity);
  /// As remove_place. Counters are the caller's.
  int expunge(const MessageSummary& message);

 private:
  Change& change_;
  MailboxId mailbox_;
  ExpungedRow row_;
  std::vector<std::string> keywords_;
};

// mailbox_tree.cc
/// The mailbox of these levels (also a placeholder), 0 if there is none.
MailboxId find_levels(store::Reader& reader, AccountId account,
                      const std::vector<std::string>& levels);
/// Its path; "" if it is gone.
std::string path_of(store::Reader& reader, AccountId account, MailboxId mailbox);
bool has_children(store::Reader& reader, AccountId account, MailboxId mailbox);

}  // namespace hikyaku::mailbox
