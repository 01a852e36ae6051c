// Every table of mailbox/: tag, key fields behind the account, value. Values are written with
// base/codec.h and only ever grow at their end. The codecs are in rows.h, summary_rows.h and
// record.h; docs/data-model.md describes each row byte by byte.
#pragma once

#include "store/key.h"

namespace hikyaku::mailbox {

// key: -                              value: AccountRow
inline constexpr store::Table kTableAccount = 0x10;
// key: u32 mailbox                    value: MailboxRow
inline constexpr store::Table kTableMailbox = 0x11;
// key: u32 parent, leaf name          value: u32 mailbox
inline constexpr store::Table kTableMailboxName = 0x12;
// key: u32 mailbox                    value: Counters
inline constexpr store::Table kTableCounters = 0x13;
// key: u32 mailbox, u32 uid           value: MessageRecord, written once. There is a message only
// if its bit is set in kTableSummary; the rows of expunged ones stay for undelete
inline constexpr store::Table kTableMessage = 0x14;
// key: u32 mailbox, u32 uid / 32      value: MessageSummary of up to 32 messages
inline constexpr store::Table kTableSummary = 0x15;
// key: u32 mailbox, u8 number         value: keyword
inline constexpr store::Table kTableKeyword = 0x16;
// key: u64 email                      value: EmailRow
inline constexpr store::Table kTableEmail = 0x17;
// key: u64 hash of a Message-ID       value: u64 thread
inline constexpr store::Table kTableThreadOf = 0x18;
// key: u64 thread, u32 mailbox, u64 email   value: varint number of messages
inline constexpr store::Table kTableThread = 0x19;
// key: u64 change number              value: ChangeRow
inline constexpr store::Table kTableChange = 0x1A;
// key: full path                      value: -   (a subscription that outlived its mailbox)
inline constexpr store::Table kTableSubscription = 0x1B;
// key: u64 intent                     value: IntentRow
inline constexpr store::Table kTableIntent = 0x1C;
// key: u64 expunged-at ms, u32 mailbox, u32 uid   value: ExpungedRow
inline constexpr store::Table kTableExpunged = 0x1D;
// key: - (of the instance)            value: Numbers, what removed accounts' have come to
inline constexpr store::Table kTableFormer = 0x1E;
/// The first table behind mailbox/'s.
inline constexpr store::Table kTableEnd = 0x40;

/// Topics of store notifications: a mailbox's id for changes in it, kTopicMailboxes for changes of
/// the list.
inline constexpr std::uint32_t kTopicMailboxes = 0;

}  // namespace hikyaku::mailbox
