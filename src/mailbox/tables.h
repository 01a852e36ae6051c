// Every table of mailbox/: tag, key fields behind the account, value. Values are written with
// base/codec.h and only ever grow at their end. The codecs are beside the code that uses them.
#pragma once

#include "store/key.h"

namespace hikyaku::mailbox {

// key: -                              value: next ids, change number and its floor, uidvalidity
// counter, quota counters
inline constexpr store::Table kTableAccount = 0x10;
// key: u32 mailbox                    value: attributes: leaf name, parent, role, uidvalidity,
// subscribed, selectable, created
inline constexpr store::Table kTableMailbox = 0x11;
// key: u32 parent, leaf name          value: u32 mailbox
inline constexpr store::Table kTableMailboxName = 0x12;
// key: u32 mailbox                    value: counters: uidnext, totals (with and without \Deleted),
// \Recent mark, highest change
inline constexpr store::Table kTableCounters = 0x13;
// key: u32 mailbox, u32 uid           value: MessageRecord: written once
inline constexpr store::Table kTableMessage = 0x14;
// key: u32 mailbox, u32 uid / 32      value: flags and change numbers of up to 32 messages
inline constexpr store::Table kTableFlags = 0x15;
// key: u32 mailbox, u8 number         value: keyword
inline constexpr store::Table kTableKeyword = 0x16;
// key: u64 email                      value: blob, thread, places [(mailbox, uid)]
inline constexpr store::Table kTableEmail = 0x17;
// key: 8 bytes hash of a Message-ID   value: u64 thread
inline constexpr store::Table kTableThreadOf = 0x18;
// key: u64 thread, u32 mailbox        value: {total, unseen}
inline constexpr store::Table kTableThreadCount = 0x19;
// key: u64 change number              value: what was created, updated, destroyed
inline constexpr store::Table kTableChange = 0x1A;
// key: full path                      value: -   (a subscription that outlived its mailbox)
inline constexpr store::Table kTableSubscription = 0x1B;
// key: u64 intent                     value: what a long APPEND, COPY or delete in pieces has yet
// to do or undo
inline constexpr store::Table kTableIntent = 0x1C;
// key: u64 freed-at ms, u32 mailbox, u32 uid   value: what undelete needs (path, flags, record)
inline constexpr store::Table kTableExpunged = 0x1D;

/// Topics of store notifications: a mailbox's id for changes in it, kTopicMailboxes for changes of
/// the list.
inline constexpr std::uint32_t kTopicMailboxes = 0;

}  // namespace hikyaku::mailbox
