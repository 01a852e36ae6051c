// The queue: what must still go out. Rows in the store, written in the transaction that accepts the
// message; a schedule of which only a bounded window is in memory. transmit/ takes from it and
// reports back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "base/time.h"
#include "smtp/command.h"
#include "store/store.h"
#include "story/story.h"

namespace hikyaku::queue {

using story::MessageId;

/// The part that all recipients of a queued message share.
struct Message {
  MessageId id = 0;
  store::BlobId blob = 0;
  std::string prefix;               ///< our header fields in front of the body
  std::uint64_t size = 0;           ///< prefix + body
  std::string mail_from;            ///< reverse path, "" for the null sender
  std::string envelope_id;          ///< ENVID (RFC 3461 §4.4), decoded; empty: none was given
  std::optional<smtp::Return> ret;  ///< RET (§4.3)
  bool eight_bit = false;           ///< BODY=8BITMIME
  bool smtputf8 = false;
  Time arrived{};
  store::AccountId account = 0;  ///< who submitted it; 0: relayed for an alias, a bounce
};

enum class State : std::uint8_t {
  Waiting,  ///< for its next attempt
  Held,     ///< until somebody releases it
};

/// What the sender is to be told of an entry that has no destination.
enum class Notice : std::uint8_t {
  Failed,     ///< nobody gets it: `last_reply` says why
  Delivered,  ///< it is in a mailbox here
  Relayed,    ///< `last_host` has it, which does not confirm deliveries
  Expanded,   ///< it was sent on to the targets of an alias
};

/// One recipient of a queued message.
struct Entry {
  MessageId message = 0;
  std::uint32_t number = 0;        ///< 0, 1, 2, … within the message
  std::string recipient;           ///< forward path
  std::string original;            ///< the address of ORCPT (decoded); without one, of RCPT TO
  std::string original_type;       ///< the type of ORCPT; empty: none was given
  std::uint8_t notify = 0;         ///< NOTIFY: kNotify… bits
  std::string destination;         ///< lower-case domain (or literal) that routes it, or kNotice
  Notice notice = Notice::Failed;  ///< with kNotice
  State state = State::Waiting;
  Time next_attempt{};
  int attempts = 0;
  int interrupted = 0;           ///< attempts that a crash cut off; at three it is held
  bool attempting = false;       ///< an attempt was noted and has not ended
  std::uint32_t lease_node = 0;  ///< which node attempts it (0: the only one) …
  Time lease_until{};            ///< … and until when nobody else may
  bool delay_told = false;
  bool hold_untold = false;  ///< held after crashes, and its owner does not know yet
  std::string last_host;     ///< MX of the last attempt
  std::string last_reply;    ///< its words, or what went wrong
  std::string hold_reason;
  std::string delivered_to;  ///< the alias for which it is sent on: its copy says so (RFC 9228)
};
/// The hold_reason of an entry whose message is damaged.
inline constexpr std::string_view kUnreadable =
    "the message is damaged and cannot be read: hikyaku verify";
/// The destination of an entry that nobody is to get: at the first attempt the sender is told
/// `notice`.
inline constexpr std::string_view kNotice = "";

inline constexpr std::uint8_t kNotifyNever = 1;
inline constexpr std::uint8_t kNotifySuccess = 2;
inline constexpr std::uint8_t kNotifyFailure = 4;
inline constexpr std::uint8_t kNotifyDelay = 8;
inline constexpr std::uint8_t kNotifyGiven = 16;  ///< the sender said so; else it is the default
inline constexpr std::uint8_t kNotifyDefault = kNotifyFailure | kNotifyDelay;

/// NOTIFY as kNotify… bits and back; nullopt: it was not given, or not by this sender.
std::uint8_t notify_bits(const std::optional<smtp::Notify>& notify);
std::optional<smtp::Notify> notify_of(const Entry& entry);
/// The recipient as the sender knows it: ORCPT, or the address of RCPT TO when an alias has led
/// elsewhere (RFC 3461 §5.2.1 (d)); nullopt: as in `recipient`.
std::optional<smtp::OriginalRecipient> original_recipient(const Entry& entry);

/// Adds a message with its entries, within the transaction that accepts it. `body` is owned by the
/// queue too.
void add(store::Transaction& tx, Message message, const store::StagedBlob& body,
         std::vector<Entry> entries);
/// The same for a body that has an id already.
void add(store::Transaction& tx, Message message, std::vector<Entry> entries);

std::optional<Message> get_message(store::Reader& reader, MessageId id);
std::optional<Entry> get_entry(store::Reader& reader, MessageId id, std::uint32_t number);
/// What the queue holds, held entries and notices included.
struct Totals {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< of the messages, each once
};
/// One row. Counted where there is none: in an empty queue, or in the store of a version that did
/// not keep it.
Totals totals(store::Reader& reader);
/// Whole messages (all entries of each) in order of arrival, those behind `after`; of `most`
/// entries or a few more. Empty: there are no more.
std::vector<Entry> list(store::Reader& reader, MessageId after, std::size_t most);
/// Message and number of an entry.
using EntryId = std::pair<MessageId, std::uint32_t>;

/// Waiting entries that are due at `now`, earliest first; and when the next one is due.
struct Due {
  std::vector<Entry> entries;
  std::optional<Time> next;
  /// For the case that the clock was set back (draw_back): the last time in the schedule, and until
  /// when it has been forgotten; nothing new is due before that.
  Time last{};
  Time low_water{};
  /// Entries whose row could not be read, at most kUnreadableAtOnce: the others go all the same.
  std::set<EntryId> unreadable;
};
inline constexpr std::size_t kUnreadableAtOnce = 100;
/// Passes over `known`, which were unreadable before. Throws IndexError when the schedule itself
/// cannot be read.
Due due(store::Reader& reader, Time now, std::size_t most, const std::set<EntryId>& known = {});

/// Forgets the part of the schedule before `time`, but nothing that still stands in it, so that
/// due() need not step over what was erased there. Worth a lazy transaction now and then.
void set_low_water(store::Transaction& tx, Time time);

/// After the clock was set back: what was put off to behind `latest`, by a clock that was ahead, is
/// due at `now`. At most `most` entries; true when none are left.
bool draw_back(store::Transaction& tx, Time now, Time latest, std::size_t most);

/// Steps of an entry's life. Each also keeps the schedule right. NotFound when the entry is gone.
Result<void> begin_attempt(store::Transaction& tx, MessageId id, std::uint32_t number,
                           Time lease_until);
/// The attempt did not take place after all (shutdown, no free connection): as if it had not begun.
Result<void> abandon_attempt(store::Transaction& tx, MessageId id, std::uint32_t number, Time next);
/// Looks at a waiting entry again at `next`, without an attempt.
Result<void> postpone(store::Transaction& tx, MessageId id, std::uint32_t number, Time next);
Result<void> defer(store::Transaction& tx, MessageId id, std::uint32_t number, Time next,
                   std::string_view host, std::string_view reply);
/// It is delivered; the entry stays until the sender has been told so.
Result<void> turn_into_notice(store::Transaction& tx, MessageId id, std::uint32_t number,
                              Notice notice, std::string_view host, std::string_view reply,
                              Time now);
/// The sender has been told that it takes longer.
Result<void> mark_delay_told(store::Transaction& tx, MessageId id, std::uint32_t number);
/// An attempt that runs at this moment goes on, and no other begins before it has ended.
Result<void> hold(store::Transaction& tx, MessageId id, std::uint32_t number,
                  std::string_view reason);
/// An attempt has found that its message cannot be sent as it is: it ends, and the entry is held.
/// Its owner has not been told (mark_hold_told).
Result<void> hold_attempted(store::Transaction& tx, MessageId id, std::uint32_t number,
                            std::string_view reason);
Result<void> release(store::Transaction& tx, MessageId id, std::uint32_t number, Time now);
/// Try at once (a held entry is released).
Result<void> retry_now(store::Transaction& tx, MessageId id, std::uint32_t number, Time now);
/// Done with, whatever the outcome; with its last entry the message and its body go.
Result<void> finish(store::Transaction& tx, MessageId id, std::uint32_t number);

/// At start: entries whose attempt a crash cut off. Those interrupted for the third time are held.
/// Gives those held now, and those held earlier whose owner has not been told. One whose row cannot
/// be read stays as it is.
std::vector<Entry> recover_interrupted(store::Transaction& tx, Time now);
/// Which of its attempts is made now.
using Attempts = std::map<EntryId, int>;
/// Entries whose attempt nobody makes, though its lease has run out. `running`: those of this node.
std::vector<EntryId> expired_attempts(store::Reader& reader, Time now, const Attempts& running,
                                      std::size_t most);
/// Ends such an attempt as if a crash had cut it off, if its lease has run out still. Gives the
/// entry if that was the third time, and it is held now.
std::optional<Entry> end_expired_attempt(store::Transaction& tx, MessageId id, std::uint32_t number,
                                         Time now);
/// The owner of a held entry has been told.
Result<void> mark_hold_told(store::Transaction& tx, MessageId id, std::uint32_t number);

/// Notified on account store::kInstance when entries were added or became due earlier.
inline constexpr std::uint32_t kTopicQueue = 2;

}  // namespace hikyaku::queue
