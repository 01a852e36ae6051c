// What a store that is open knows of damage: segments that are not what the index says, bodies that
// could not be read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "store/index.h"
#include "store/segments.h"
#include "store/store.h"

namespace hikyaku::store {

/// Whether an error says that what was written cannot be read (any more).
bool is_damage(const Error& error);

/// Whether anybody has the body. One that nobody has stays until its time is over, and nobody
/// misses it. IndexError, ColdRead.
bool has_owner(const IndexView& view, BlobId body, Reach reach);

/// A segment in which bodies stand that somebody owns, and which cannot have all of them.
struct LostSegment {
  SegmentNumber number = 0;
  std::uint64_t live_bytes = 0;  ///< of bodies that stood in it and have owners
  std::string what;              ///< a sentence
};

/// Holds what the index knows of segments against the files: each is there, its header can be read,
/// and it is as long as what is in it. Opens every segment that has bodies. Blocks.
std::vector<LostSegment> find_lost_segments(Segments& segments, const IndexView& view);

/// What of an index could not be read. The first time it is told, and marked on the disk: then the
/// next start makes the index again. From any thread.
class IndexDamage {
 public:
  /// `mark` writes the mark; empty: nothing is to be written. It is called once.
  IndexDamage(Log log, std::function<Result<void>(std::string_view what)> mark)
      : log_(std::move(log)), mark_(std::move(mark)) {}

  /// Corrupt is marked; Io, which may pass, is told alone. Other errors are no damage.
  void found(const Error& error);
  /// It is known from before, and cannot be mended by a start.
  void stays(std::string what);
  bool any() const;
  /// The first of it; empty: there is none.
  std::string what() const;

 private:
  Log log_;
  std::function<Result<void>(std::string_view what)> mark_;
  mutable std::mutex mutex_;
  std::string what_;
  bool marked_ = false;
};

/// More than this of one kind are not told apart, and not counted: whoever has so many knows.
inline constexpr std::size_t kMostDamage = 10'000;
/// So many are named in the log.
inline constexpr std::size_t kMostDamageLines = 100;

/// Bodies that cannot be read, told once each. From any thread.
class UnreadableBodies {
 public:
  explicit UnreadableBodies(Log log) : log_(std::move(log)) {}

  /// Corrupt and Io are damage; other errors are not. True: nobody knew it yet.
  bool found(BlobId body, const Error& error);
  /// It can be read again, or nobody has it any more.
  void forget(BlobId body);
  std::uint64_t count() const;
  /// How often found() was true.
  std::uint64_t found_ever() const;
  std::vector<BlobId> all() const;

 private:
  Log log_;
  mutable std::mutex mutex_;
  std::set<BlobId> bodies_;
  std::uint64_t found_ = 0;
};

/// Where in the journal something stands that is no body.
struct RecordPlace {
  SegmentNumber segment = 0;
  std::uint64_t offset = 0;  ///< of a group; 0: the segment's header
  auto operator<=>(const RecordPlace&) const = default;
};

/// Records of the journal that cannot be read: the index holds what they say, but could not be made
/// again from them. Told once each. From any thread.
class DamagedRecords {
 public:
  explicit DamagedRecords(Log log) : log_(std::move(log)) {}

  /// As in UnreadableBodies.
  bool found(RecordPlace place, const Error& error);
  void forget(RecordPlace place);
  std::uint64_t count() const;
  std::vector<RecordPlace> all() const;
  /// A sentence about the first of them; empty: there is none.
  std::string first() const;

 private:
  Log log_;
  mutable std::mutex mutex_;
  std::map<RecordPlace, std::string> records_;
};

}  // namespace hikyaku::store
