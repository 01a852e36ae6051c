// The selected mailbox of a session, and sets of its messages. Private to imapd/.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/executor.h"
#include "imap/reply.h"
#include "imap/sequence_set.h"
#include "mailbox/view.h"
#include "store/store.h"

namespace hikyaku::imapd {

/// Listens to what the store tells of a mailbox. Begun before anything is read, it misses nothing
/// that happens afterwards.
struct Watch {
  bool changed = false;  ///< the store has notified since this was set to false
  std::unique_ptr<store::Subscription> mailbox;
  std::unique_ptr<store::Subscription> list;
};

struct Selected {
  Selected(mailbox::SessionView view, std::unique_ptr<Watch> watching)
      : messages(std::move(view)), watch(std::move(watching)) {}

  mailbox::MailboxId mailbox = 0;
  std::string path;
  std::uint32_t uid_validity = 0;
  /// The numbering that the client knows.
  mailbox::SessionView messages;
  imap::NumberSet recent;       ///< UIDs that are \Recent in this session
  imap::NumberSet saved;        ///< UIDs that "$" stands for (RFC 5182)
  mailbox::Uid known_next = 1;  ///< messages from this UID on have not been looked at for \Recent
  bool may_park = true;         ///< parking was not tried since the last refresh
  /// The client was told to stay at a change before expunges that it has yet to hear of.
  bool held_back = false;
  std::unique_ptr<Watch> watch;
  /// Bytes of the view that nobody has but this session: others have a newer one.
  std::size_t old_rows = 0;
  std::unique_ptr<Executor::Timer> count_old_rows;
};

using SequenceRanges = std::vector<imap::NumberRange>;

/// Finds the messages of a set of UIDs, a piece at a time. Those that do not exist are passed over.
class SequencesOf {
 public:
  /// Both must outlive it, and stay as they are.
  SequencesOf(const mailbox::SessionView& messages, const imap::NumberSet& uids)
      : finder_(messages), uids_(uids), end_(static_cast<std::uint32_t>(messages.size()) + 1) {}
  /// Looks for the next `limit` ranges of UIDs; false when that was all.
  bool find_some(std::size_t limit);
  /// What has been found: ascending, and apart.
  SequenceRanges take() { return std::move(found_); }

 private:
  mailbox::SessionView::Finder finder_;
  const imap::NumberSet& uids_;
  std::uint32_t end_;
  std::size_t next_ = 0;
  SequenceRanges found_;
};

/// The messages that a set of a command names by their numbers. The refusal when it names one that
/// there is not (RFC 3501 §9 seq-number).
std::expected<SequenceRanges, imap::Reply> by_number(const mailbox::SessionView& messages,
                                                     const imap::SequenceSet& set);

std::uint64_t count(const SequenceRanges& ranges);

/// Walks over messages in ascending order, quickly.
class RowWalk {
 public:
  explicit RowWalk(const mailbox::SessionView& messages) : messages_(messages) {}
  const mailbox::MessageSummary& at(std::uint32_t sequence) {
    if (messages_.ghosts() > 0) return messages_.at(sequence);
    if (sequence >= next_ && sequence - next_ < run_.size())
      run_ = run_.subspan(sequence - next_);
    else
      run_ = messages_.view().run(sequence - 1);
    auto& row = run_.front();
    run_ = run_.subspan(1);
    next_ = sequence + 1;
    return row;
  }

 private:
  const mailbox::SessionView& messages_;
  std::span<const mailbox::MessageSummary> run_;
  std::uint32_t next_ = 0;
};

/// Hands out the sequence numbers of ranges in pieces.
class SequencePieces {
 public:
  explicit SequencePieces(const SequenceRanges& ranges) : ranges_(ranges) {}
  /// At most `limit` more; empty at the end.
  std::vector<std::uint32_t> next(std::size_t limit);
  /// The same, as ranges.
  SequenceRanges next_ranges(std::size_t limit);

 private:
  const SequenceRanges& ranges_;
  std::size_t range_ = 0;
  std::uint32_t done_ = 0;  ///< of the present range
};

/// A mailbox's set as IMAP writes it; UIDs fit into 32 bits.
imap::NumberSet to_imap(const mailbox::NumberSet& set);

}  // namespace hikyaku::imapd
