// Backups as files: a directory with one dated directory for each, complete in itself; what has not
// changed since the one before is there as a hard link.
//
//   PATH/20261122T031500Z/BACKUP.json     what it is; written last
//                         SUMS            the SHA-256 of every file, as sha256sum(1) writes it
//                         ROTTEN          files that are not what they were, if a check found any
//                         store/          the store's files, as they were at that moment
//                         config/         with --with-config: hikyaku.toml, tls/, dkim/
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/instance.h"
#include "app/json.h"
#include "app/store_damage.h"
#include "base/result.h"
#include "base/time.h"
#include "store/store.h"

namespace hikyaku::app {

class Terminal;

/// What BACKUP.json says, and SUMS beside it.
struct BackupInfo {
  std::filesystem::path path;  ///< of the dated directory
  std::string made;            ///< RFC 3339
  std::string store_id;        ///< hexadecimal
  std::string key;             ///< which secret.key belongs to it; "" if that was not known
  std::uint32_t epoch = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;   ///< of all files
  std::uint64_t copied = 0;  ///< bytes of them that were new here
  bool with_config = false;
  std::string sums;    ///< SHA-256 of SUMS, hexadecimal; "": there is none (earlier versions)
  StoreDamage damage;  ///< that the store had then

  std::filesystem::path store() const { return path / "store"; }
  std::filesystem::path config() const { return path / "config"; }
};

/// One whose BACKUP.json cannot be read.
struct UnreadableBackup {
  std::filesystem::path path;
  Error why;
};
struct BackupList {
  std::vector<BackupInfo> backups;  ///< oldest first
  std::vector<UnreadableBackup> unreadable;
};
/// The backups in a directory. NotFound, Denied, Io.
Result<BackupList> list_backups(const std::filesystem::path& repository);
/// The backup of this path: itself, or the newest that can be read in a directory of them; those
/// that cannot go to `unreadable`, if it is given. NotFound.
Result<BackupInfo> find_backup(const std::filesystem::path& path,
                               std::vector<UnreadableBackup>* unreadable = nullptr);
/// Whether a path is this directory or somewhere in it, whatever links lead there.
bool is_within(const std::filesystem::path& path, const std::filesystem::path& directory);
boost::json::object describe(const BackupInfo& info);

/// Says which backups cannot be read, and that the others can, on standard error.
void complain_of(const std::vector<UnreadableBackup>& unreadable, Terminal& terminal);

/// "It was made of a damaged store …", if so, on standard output.
void tell_of_damage(const BackupInfo& info, Terminal& terminal);

/// One backup being made.
struct BackupPlan {
  std::filesystem::path repository;
  std::filesystem::path data;  ///< where the store is
  const Instance* instance = nullptr;
  bool with_config = false;
  std::string key;
  StoreDamage damage = {};  ///< what is known of the store's
  /// False when what `frozen` names may go any time: then a file that is not there is no damage.
  std::function<bool()> is_held = [] { return true; };
  Time now{};
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};
/// Copies what `frozen` names and verifies what was copied by reading it again. Files that have not
/// changed are linked to the backup before, unless they are known not to be what they were. A
/// failure leaves nothing behind. What of the journal is missing is left out, what a disk cannot
/// read is zeros: both are told as the store's damage. Conflict: another backup is being made
/// there; Invalid: the repository is in the store; NoSpace, Io, Corrupt, Denied.
Result<BackupInfo> make_backup(const store::Frozen& frozen, const BackupPlan& plan);

/// Removes the oldest backups of the store that `newest`, which was just made, is of, so that it
/// and the `keep` - 1 before it stay; those of which a file is known not to be what it was, or that
/// were made of a damaged store, do not count among them. Nothing goes if `newest` is of a damaged
/// store. What bears a later date than `newest` (a clock was wrong) is left alone. Gives
/// what is gone. What a crash leaves of one passes for no backup, and goes with the next that is
/// made. Conflict: a backup is being made there; Denied, Io.
Result<std::vector<std::filesystem::path>> remove_old_backups(const BackupInfo& newest,
                                                              std::size_t keep);

/// Notes with a backup which of its files are not what they were, or that all are: the next backup
/// is linked to none of them. Best effort: whoever may only read can check all the same. (Both
/// notes take the place of what has their name: others may have put a link there.)
void note_rotten(const BackupInfo& info, const std::vector<std::string>& files);
/// Whether a check has found any.
bool is_rotten(const BackupInfo& info);
/// The epoch to which this backup has been restored before, 0 if never (or nobody could note it).
std::uint32_t noted_restore(const BackupInfo& info);
/// The file that says so.
std::filesystem::path restore_note(const BackupInfo& info);
void note_restore(const BackupInfo& info, std::uint32_t epoch);

}  // namespace hikyaku::app
