// The small files of a store beside journal and index: who it is, and whether it was closed well.
#pragma once

#include <optional>
#include <string>

#include "store/file_system.h"
#include "store/index.h"
#include "store/open.h"

namespace hikyaku::store {

/// The 16 bytes that name a store; made at random the first time. Corrupt when there are segments
/// but no name.
Result<std::string> load_store_id(FileSystem& files, const std::string& directory);

/// The same id of a store that is there. NotFound: it has none. Corrupt; Unsupported: it is a later
/// version's.
Result<std::string> find_store_id(FileSystem& files, const std::string& directory);

/// NotFound when is_missing().
Result<void> refuse_missing(FileSystem& files, const std::string& directory);

/// A place where a store is missing has no mark of one that was closed there.
Result<void> clear_missing(FileSystem& files, const std::string& directory);

inline constexpr const char* kStoreName = "STORE";
inline constexpr const char* kCleanMark = "CLEAN";
std::string encode_clean_mark(JournalPosition position);

/// Written at a clean end: where the log ends. Nothing may follow there.
Result<void> write_clean_mark(FileSystem& files, const std::string& directory,
                              JournalPosition position);
/// nullopt after a crash.
Result<std::optional<JournalPosition>> read_clean_mark(FileSystem& files,
                                                       const std::string& directory);
Result<void> remove_clean_mark(FileSystem& files, const std::string& directory);

inline std::string index_directory(const std::string& directory) {
  return directory + "/index";
}

/// Directories of states that are being copied (Store::freeze) begin with this.
inline constexpr const char* kFrozenPrefix = "frozen-";
/// Removes those that a crash has left.
Result<void> remove_frozen(FileSystem& files, const std::string& directory,
                           const std::vector<std::string>& names);

/// Whether there is any file of an index in a directory.
bool has_files(FileSystem& files, const std::string& directory);
/// Whether a directory holds an index, in whatever state.
bool has_index(FileSystem& files, const std::string& directory);

struct KeptIndexRules {
  std::uint64_t reserve = 0;  ///< of the disk: tables of its own are not to take it
  /// Nothing is taken from the copy before: a table of it is damaged.
  bool anew = false;
};
/// A copy of the index is kept beside it, for the time when segments that it was made from are
/// gone. Makes a new one in place of the old one and gives its position. Blocks.
Result<JournalPosition> keep_rocks_index(Index& index, FileSystem& files,
                                         const std::string& directory, KeptIndexRules rules);
/// The tables of the one there is, sorted by name.
std::vector<IndexFile> kept_tables(FileSystem& files, const std::string& directory);
/// There is one, and no file of it is the index's, too.
bool has_own_kept_index(FileSystem& files, const std::string& directory);
Result<void> forget_kept_indexes(FileSystem& files, const std::string& directory);
/// Where it is; nullopt if there is none. All: also the one before, if a crash has left it.
std::vector<std::string> kept_indexes(FileSystem& files, const std::string& directory);
std::optional<std::string> kept_index(FileSystem& files, const std::string& directory);

inline std::string journal_directory(const std::string& directory) {
  return directory + "/journal";
}

/// Notes in the index itself that it is damaged: the next start is to make it again. Goes with it.
Result<void> mark_index_damaged(FileSystem& files, const std::string& directory,
                                std::string_view what);
/// What was noted; nullopt: nothing.
std::optional<std::string> find_damage_mark(FileSystem& files, const std::string& directory);

/// Moves the index, whatever is in it, to `directory`/index.damaged (-2, -3 … where others are).
Result<void> put_index_aside(FileSystem& files, const std::string& directory);
/// Once another index has come up: of those that were put aside only the last one stays.
Result<void> forget_damaged_indexes(FileSystem& files, const std::string& directory);
/// Where another index is made beside the store's own.
std::string copied_index(const std::string& directory);
/// Copies `kept` there.
Result<void> copy_kept_index(FileSystem& files, const std::string& directory,
                             const std::string& kept);
/// The one that is there, whole and on the disk, takes the index's place, and that one is put
/// aside. A crash leaves the index that was there, or what finish_putting_index() needs.
Result<void> put_copied_index(FileSystem& files, const std::string& directory);
/// Before an index is looked for: ends what a crash has interrupted.
Result<void> finish_putting_index(FileSystem& files, const std::string& directory);

/// The id that the journal's segments name. Corrupt when none can be read.
Result<std::string> id_of_segments(FileSystem& files, const std::string& directory);
Result<void> write_store_id(FileSystem& files, const std::string& directory, std::string_view id);

}  // namespace hikyaku::store
