// The index on RocksDB: one column family, no log of its own (the journal is that).
#pragma once

#include "base/log.h"
#include "store/damage.h"
#include "store/file_system.h"
#include "store/index.h"

namespace hikyaku::store {

struct RocksIndexOptions {
  std::string directory;
  /// For block cache and write buffers together.
  std::uint64_t memory = 64ull << 20;
  Log log;
  /// The files under it; null: the operating system's, by RocksDB's own means. Must outlive it.
  FileSystem* files = nullptr;
  /// Is told what cannot be read. May be null.
  std::shared_ptr<IndexDamage> damage = nullptr;
  /// Whether tables are merged. One that is known to be damaged takes no writes any more once a
  /// merge has met the damage.
  bool compacts = true;
};

/// Opens or makes the index. Conflict, Corrupt, Io.
Result<std::unique_ptr<Index>> open_rocks_index(const RocksIndexOptions& options);

/// Opens an index for reading alone; nothing in its directory changes.
Result<std::unique_ptr<Index>> open_rocks_index_for_reading(const RocksIndexOptions& options);

/// Reads all tables of an index that is not open and compares their checksums. Gives how far it has
/// come. Corrupt, Io.
Result<JournalPosition> check_rocks_index(const RocksIndexOptions& options);

/// A table of an index, and the keys between which its rows lie, both of them among them.
struct RocksTable {
  std::string path;
  std::string first;
  std::string last;
};
/// The tables of an index that is not open, also those that cannot be opened.
struct RocksTables {
  std::vector<RocksTable> all;
  /// The index's list of them could be read: a row stands in the last of them that has its key.
  /// Otherwise these are all tables that are there, and what was written last only the rows'
  /// numbers tell; some may be left over from a merge that a crash cut off.
  bool listed = true;
};
/// Io.
Result<RocksTables> list_rocks_tables(const RocksIndexOptions& options, FileSystem& files);

/// The row, nobody else's, that says how far an index has come.
bool is_position_key(std::string_view key);
std::optional<JournalPosition> decode_position(std::string_view value);

/// Copies the files of an index that is not open, those that never change by hard links. `to`, in
/// place of what may be there, is an index once all of it is on the disk.
Result<void> copy_rocks_index(FileSystem& files, const std::string& from, const std::string& to);

/// Removes the files of an index that is not open.
Result<void> remove_rocks_index(const std::string& directory, FileSystem* files = nullptr);

}  // namespace hikyaku::store
