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

/// The rows of a mailbox at one change number. Immutable; made of shared blocks of 512 rows, so the
/// next one copies only what changed. Row numbers count from 0; IMAP's sequence numbers are one
/// more.
class View {
 public:
  struct Block;

  std::size_t size() const;
  MessageSummary operator[](std::size_t row) const;
  /// The row of a UID, if it is there.
  std::optional<std::size_t> find(Uid uid) const;
  /// The first row whose UID is at least `uid` (size() if none).
  std::size_t lower_bound(Uid uid) const;
  ChangeNumber change() const;  ///< HIGHESTMODSEQ of this state
  Uid uid_next() const;
  std::uint32_t uid_validity() const;
  const std::vector<std::string>& keywords() const;
  /// Rows of the block that holds `row`, from `row` to the block's end: for fast loops.
  std::span<const MessageSummary> run(std::size_t row) const;

  struct Parts;  ///< mailbox/'s own
  explicit View(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  const Parts& parts() const { return *parts_; }

 private:
  std::shared_ptr<const Parts> parts_;
};

/// Keeps the views of open mailboxes and brings them up to date. One per instance; from any event
/// loop.
class Views {
 public:
  virtual ~Views() = default;
  /// The newest view. NotFound when the mailbox is gone. Cheap when nothing changed.
  virtual Task<Result<std::shared_ptr<const View>>> open(AccountId account, MailboxId mailbox) = 0;
};
/// `memory`: bytes that views without a user may take; those in use always stay.
std::unique_ptr<Views> make_views(store::Store& store, std::size_t memory);

/// What a session must tell its client, in this order.
struct Updates {
  std::vector<std::uint32_t>
      expunged;  ///< sequence numbers, each valid when the ones before were told (descending)
  std::vector<Uid> expunged_uids;       ///< the same as UIDs, ascending: for VANISHED
  std::optional<std::uint32_t> exists;  ///< the new number of messages
  struct FlagsChanged {
    std::uint32_t sequence;
    MessageSummary message;
  };
  std::vector<FlagsChanged> flags;
  bool keywords_changed = false;  ///< tell FLAGS and PERMANENTFLAGS first
  bool empty() const { return expunged.empty() && !exists && flags.empty() && !keywords_changed; }
};

/// What one session has been told of its mailbox: the numbering that its client uses. Pure.
class SessionView {
 public:
  explicit SessionView(std::shared_ptr<const View> view);

  /// Moves on to a newer view. Without `may_expunge` (RFC 9051 §7.5.1: during FETCH, STORE, SEARCH)
  /// rows that are gone stay as ghosts under their number; flags and new messages are told at once.
  /// `own_uids` with their new flags are not reported (the client asked for .SILENT).
  Updates advance(std::shared_ptr<const View> newer, bool may_expunge,
                  std::span<const MessageSummary> silent = {});

  std::size_t size() const;
  /// By sequence number, from 1. A ghost has its last known row.
  MessageSummary at(std::uint32_t sequence) const;
  bool is_ghost(std::uint32_t sequence) const;
  std::optional<std::uint32_t> sequence_of(Uid uid) const;
  /// The UIDs with sequence numbers [first, last].
  std::vector<Uid> uids(std::uint32_t first, std::uint32_t last) const;
  const View& view() const { return *view_; }
  std::shared_ptr<const View> shared_view() const { return view_; }

 private:
  std::shared_ptr<const View> view_;
  std::vector<MessageSummary> ghosts_;  ///< by UID; expunged, but the client does not know yet
};

}  // namespace hikyaku::mailbox
