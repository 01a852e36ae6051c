// Backups as files: a directory with one dated directory for each, complete in itself; what has not
// changed since the one before is there as a hard link.
//
//   PATH/20261122T031500Z/BACKUP.json     what it is; written last
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
#include "base/result.h"
#include "base/time.h"
#include "store/store.h"

namespace hikyaku::app {

/// What BACKUP.json says.
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

  std::filesystem::path store() const { return path / "store"; }
  std::filesystem::path config() const { return path / "config"; }
};

/// The backups in a directory, oldest first.
Result<std::vector<BackupInfo>> list_backups(const std::filesystem::path& repository);
/// The backup of this path: itself, or the newest in a directory of them. NotFound.
Result<BackupInfo> find_backup(const std::filesystem::path& path);
boost::json::object describe(const BackupInfo& info);

/// One backup being made.
struct BackupPlan {
  std::filesystem::path repository;
  std::filesystem::path data;  ///< where the store is
  const Instance* instance = nullptr;
  bool with_config = false;
  std::string key;
  Time now{};
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};
/// Copies what `frozen` names and verifies what was copied by reading it again. A failure leaves
/// nothing behind. Conflict: another backup is being made there; NoSpace, Io, Corrupt, Denied.
Result<BackupInfo> make_backup(const store::Frozen& frozen, const BackupPlan& plan);

/// Copies a directory with all that is in it, or a file; nothing is shared with it afterwards.
/// `owner`, if any, is (uid, gid) of what is made; files keep their modes, directories are for
/// their owner only. Everything is on disk then.
Result<void> copy_tree(const std::filesystem::path& from, const std::filesystem::path& to,
                       std::optional<std::pair<std::uint32_t, std::uint32_t>> owner,
                       const std::function<void(std::uint64_t bytes)>& copied);
/// What was made, removed or renamed in it is so for good.
void sync_directory(const std::filesystem::path& path);
std::uint64_t tree_size(const std::filesystem::path& path);

/// The epoch to which this backup has been restored before, 0 if never (or nobody could note it).
std::uint32_t noted_restore(const BackupInfo& info);
void note_restore(const BackupInfo& info, std::uint32_t epoch);

}  // namespace hikyaku::app
