// Views: an open mailbox as rows in memory, shared by all sessions that have it selected; and what
// one session has been told of it (sequence numbers, expunges that it has yet to hear of).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "base/task.h"
#include "mailbox/messages.h"

namespace hikyaku::mailbox {

/// The rows of a mailbox at one change number. Immutable; made of shared blocks of at most 512
/// rows, so the next one copies only what changed. Row numbers count from 0; IMAP's sequence
/// numbers are one more. From any thread.
class View {
 public:
  struct Block;

  std::size_t size() const;
  const MessageSummary& operator[](std::size_t row) const;
  /// The row of a UID, if it is there.
  std::optional<std::size_t> find(Uid uid) const;
  /// The first row whose UID is at least `uid` (size() if none).
  std::size_t lower_bound(Uid uid) const;
  ChangeNumber change() const;  ///< HIGHESTMODSEQ of this state
  Uid uid_next() const;
  std::uint32_t uid_validity() const;
  const std::vector<std::string>& keywords() const;
  /// Rows of the block that holds `row`, from `row` to the block's end: for fast loops. Empty at
  /// the end of the view.
  std::span<const MessageSummary> run(std::size_t row) const;
  /// lower_bound() of many UIDs one after another: next to the one before a look-up costs little.
  class Finder {
   public:
    explicit Finder(const View& view) : view_(view) {}
    std::size_t lower_bound(Uid uid);

   private:
    const View& view_;
    Uid last_ = UINT32_MAX;  ///< what was asked for before
    std::size_t row_ = 0;    ///< where that was
    std::span<const MessageSummary> run_;
  };

  struct Parts;  ///< mailbox/'s own
  explicit View(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  const Parts& parts() const { return *parts_; }

 private:
  std::size_t block_of(std::size_t row) const;

  std::shared_ptr<const Parts> parts_;
};

/// Keeps the views of open mailboxes and brings them up to date. One per instance; from any event
/// loop.
class Views {
 public:
  virtual ~Views() = default;
  /// The newest view: it shows every transaction that had returned before the call. NotFound when
  /// the mailbox is gone (or only holds others). Cheap when nothing changed.
  virtual Task<Result<std::shared_ptr<const View>>> open(AccountId account, MailboxId mailbox) = 0;
  /// What the cache holds, views in use included.
  struct Held {
    std::size_t views = 0;
    std::size_t bytes = 0;
  };
  virtual Held held() const = 0;
  /// Bytes that only those keep in memory who hold this view of the mailbox, as others have moved
  /// on to a newer one: one holder's part of that. 0 for the newest view; otherwise it costs a
  /// look at each block.
  virtual std::size_t kept_by(AccountId account, MailboxId mailbox,
                              const std::shared_ptr<const View>& view) const = 0;
};
/// `memory`: bytes that cached views may take; beyond it those that nobody uses go, the longest
/// unused first. Those in use always stay. `store` must outlive it.
std::unique_ptr<Views> make_views(store::Store& store, std::size_t memory);

/// The whole mailbox at once, without cache: for short jobs and tests. nullptr when it is gone.
std::shared_ptr<const View> read_view(store::Reader& reader, AccountId account, MailboxId mailbox);
/// The view after what happened since `old`. nullptr when it cannot be made from it (the change
/// table is trimmed, too much changed, the mailbox is gone): read it anew. `old` itself when
/// nothing changed.
std::shared_ptr<const View> update_view(store::Reader& reader, AccountId account, MailboxId mailbox,
                                        std::shared_ptr<const View> old);

/// What a session must tell its client, in this order. Its client may take long to read all that:
/// it says where in the session's view to look, and holds no rows.
struct Updates {
  /// From first to last, both included.
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    bool operator==(const Range&) const = default;
  };
  bool keywords_changed = false;  ///< FLAGS and PERMANENTFLAGS
  /// Sequence numbers as they were, ascending: told from the last to the first, each is valid.
  std::vector<Range> expunged;
  std::vector<Range> expunged_uids;     ///< the same as UIDs, ascending: for VANISHED
  std::optional<std::uint32_t> exists;  ///< the new number of messages, when there are more
  /// Sequence numbers, valid after all of the above, ascending. What has new flags is among them:
  /// those whose row is of a later change than `flags_after`.
  std::vector<Range> flags;
  ChangeNumber flags_after = 0;

  bool empty() const { return expunged.empty() && !exists && flags.empty() && !keywords_changed; }
  /// Bytes beside the value itself.
  std::size_t memory() const {
    return (expunged.capacity() + expunged_uids.capacity() + flags.capacity()) * sizeof(Range);
  }
};

/// What one session has been told of its mailbox: the numbering that its client uses. Pure. One
/// thread.
class SessionView {
 public:
  explicit SessionView(std::shared_ptr<const View> view);

  /// Moves on to a newer view (an older one changes nothing). Without `may_expunge` (RFC 9051
  /// §7.5.1: during FETCH, STORE, SEARCH) rows that are gone stay as ghosts under their number;
  /// flags and new messages are told at once. It costs next to nothing where both views have the
  /// same messages, and a row at a time where some have gone.
  Updates advance(std::shared_ptr<const View> newer, bool may_expunge);
  /// How many of its messages are not in that newer view, ghosts apart.
  std::size_t missing_in(const View& newer) const;

  /// Lets go of the rows: an idle session keeps only the UIDs that its client knows, as ranges.
  /// Until advance() brings a view, only size() and told_up_to() may be called. False, and nothing
  /// happens, when the ranges would take more than `max_ranges`.
  bool park(std::size_t max_ranges = 4'096);
  bool parked() const { return !view_; }

  /// Messages by the client's counting, ghosts included.
  std::size_t size() const;
  /// By sequence number, from 1 to size(). A ghost has its last known row.
  const MessageSummary& at(std::uint32_t sequence) const;
  bool is_ghost(std::uint32_t sequence) const;
  /// Ghosts have one too.
  std::optional<std::uint32_t> sequence_of(Uid uid) const;
  /// The first sequence number whose UID is at least `uid`; size() + 1 if none.
  std::uint32_t lower_bound(Uid uid) const;
  /// lower_bound() of many UIDs one after another, as a View's. The session's view must stay as it
  /// is meanwhile.
  class Finder {
   public:
    explicit Finder(const SessionView& messages) : messages_(messages), rows_(messages.view()) {}
    std::uint32_t lower_bound(Uid uid) {
      return static_cast<std::uint32_t>(rows_.lower_bound(uid) + messages_.ghosts_below(uid) + 1);
    }

   private:
    const SessionView& messages_;
    View::Finder rows_;
  };
  /// The UIDs with sequence numbers [first, last], as far as they exist, ghosts included.
  std::vector<Uid> uids(std::uint32_t first, std::uint32_t last) const;
  std::size_t ghosts() const { return ghosts_.size(); }
  /// All that has happened up to this change the client has been told, or is by the updates that
  /// advance() gave: below the view's change as long as there are ghosts (RFC 7162 §3.2).
  ChangeNumber told_up_to() const { return ghosts_.empty() ? change() : before_ghosts_; }
  /// What it holds by itself, the view apart, which all share.
  std::size_t memory() const {
    return ghosts_.capacity() * sizeof(Ghost) + parked_.uids.ranges().size() * 8;
  }
  const View& view() const { return *view_; }
  const std::shared_ptr<const View>& shared_view() const { return view_; }

 private:
  struct Ghost {
    MessageSummary row;
    std::uint32_t sequence = 0;
  };
  struct Difference;
  void compare_view(const View& newer, Difference& difference) const;
  void compare_parked(const View& newer, Difference& difference) const;
  void tell_ghosts(Updates& updates);
  std::size_t ghosts_below(Uid uid) const;
  void number_ghosts();
  ChangeNumber change() const { return parked() ? parked_.change : view_->change(); }

  std::shared_ptr<const View> view_;
  std::vector<Ghost> ghosts_;       ///< by UID; expunged, but the client does not know yet
  ChangeNumber before_ghosts_ = 0;  ///< while there are any: a change before the first of them
  /// Instead of a view.
  struct Parked {
    NumberSet uids;  ///< without ghosts
    std::size_t size = 0;
    ChangeNumber change = 0;
    std::vector<std::string> keywords;
  };
  Parked parked_;
};

}  // namespace hikyaku::mailbox
