// Sizes of the pieces that work is done in. Private to imapd/.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hikyaku::imapd {

/// Rows that are written between two looks at what else is to be done on this loop.
inline constexpr std::size_t kRowsPerTurn = 1'000;
/// So long after a change it is counted what a session keeps that has not come to tell of it.
inline constexpr std::chrono::milliseconds kCountOldRowsAfter{1'000};
/// What a session may yet send that takes too much memory.
inline constexpr std::chrono::milliseconds kLastWordsWithin{1'000};
/// When more than so many messages have gone, one session of the account after the other works out
/// which.
inline constexpr std::size_t kManyExpunged = 20'000;
/// Messages of which a STORE or EXPUNGE has the UIDs in memory at once.
inline constexpr std::size_t kUidsAtOnce = 16'000;
/// Messages whose records one read takes.
inline constexpr std::size_t kRecordsPerRead = 256;
/// Their memory: a read ends early then.
inline constexpr std::uint64_t kRecordBytesPerRead = 1024 * 1024;
/// The least that a piece of work takes at once, however little a session may hold.
inline constexpr std::uint64_t kLeastPiece = 16 * 1024;
/// Answers that one read may make, in bytes: it ends early then.
inline constexpr std::size_t kTextPerRead = 256 * 1024;
/// Messages that one piece of a FETCH of contents looks up, and sets \Seen on.
inline constexpr std::size_t kContentsPerPiece = 100;
/// Bytes of messages next to each other whose bodies are read at once.
inline constexpr std::uint64_t kBodiesAtOnce = 256 * 1024;
/// Up to this size a message is handled in memory as one string.
inline constexpr std::uint64_t kSmallMessage = 256 * 1024;
/// Larger ones are read and sent in pieces of this size.
inline constexpr std::uint64_t kReadPiece = 256 * 1024;
/// Up to this size a digest (some 10 µs per KB at worst) is made on the event loop.
inline constexpr std::uint64_t kInlineDigest = 32 * 1024;

}  // namespace hikyaku::imapd
