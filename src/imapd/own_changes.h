// What a command has stored itself. Private to imapd/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "imapd/selected.h"
#include "mailbox/bulk.h"

namespace hikyaku::imapd {

/// The messages whose flags a command of this session has set: it tells them itself, or .SILENT
/// wants none of them. As few numbers as can be: they are held as long as the client reads slowly.
struct OwnChanges {
  SequenceRanges messages;                         ///< that were named
  std::vector<mailbox::Uid> left_alone;            ///< of these; ascending
  std::vector<mailbox::Uid> news;                  ///< others changed them, too; ascending
  std::vector<mailbox::BulkStored::Piece> stored;  ///< up to which changes they are its own

  std::size_t memory() const {
    return messages.capacity() * sizeof(imap::NumberRange) +
           (left_alone.capacity() + news.capacity()) * sizeof(mailbox::Uid) +
           stored.capacity() * sizeof(mailbox::BulkStored::Piece);
  }
};

/// Asks about one message after the other, in ascending order.
class OwnWalk {
 public:
  /// nullptr: there are none.
  explicit OwnWalk(const OwnChanges* changes);
  /// The row is as the command has left it, and nobody has changed it since, or before without
  /// the client being told.
  bool has(std::uint32_t sequence, const mailbox::MessageSummary& row);

 private:
  std::span<const imap::NumberRange> messages_;
  std::span<const mailbox::Uid> left_alone_;
  std::span<const mailbox::Uid> news_;
  std::span<const mailbox::BulkStored::Piece> stored_;
};

}  // namespace hikyaku::imapd
