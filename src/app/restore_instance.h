// A whole instance out of a backup.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "app/backup_files.h"
#include "app/copy_files.h"
#include "app/instance.h"
#include "app/system_user.h"
#include "base/phrase.h"
#include "config/config.h"
#include "store/file_system.h"

namespace hikyaku::app {

struct RestoreOutcome {
  std::uint32_t epoch = 0;
  std::uint64_t held = 0;        ///< queue entries that wait for somebody to release them
  std::filesystem::path former;  ///< where the data that was there is now; empty: none
  /// What of the backup is damaged, a sentence each, and what is lost by that: the first
  /// hundred of `lost_count`.
  std::vector<std::string> damage;
  std::vector<std::string> lost;
  std::uint64_t lost_count = 0;
  bool as_made = false;   ///< the damage is that of the store when the backup was made
  std::string note;       ///< where what is lost stays written, in the data directory; empty: not
  bool in_place = false;  ///< false: something is lost, and that was not wanted
};

/// How to restore.
struct RestoreRules {
  bool with_losses = false;  ///< also when something of the backup is lost
  Language language = Language::English;
  CountBytes copied = [](std::uint64_t) {};
  /// As VerifyOptions::progress; perhaps in another process.
  std::function<void(std::string_view doing, double part)> verifying = {};
  /// For tests alone, which cut a restore off there: called when the store that was there is out of
  /// the way and the other is not yet in its place.
  std::function<void()> between = [] {};
};

/// Why the directory of an instance's store cannot be replaced by another; nullopt: it can.
struct FixedPlace {
  enum class Why {
    MountPoint,  ///< a file system begins there
    Dangling,    ///< a link to what is not there
  };
  Why why{};
  std::filesystem::path target;  ///< where the link leads
};
std::optional<FixedPlace> find_fixed_place(const std::filesystem::path& data);
/// Where the store really is, if a link leads there.
std::filesystem::path resolve_place(const std::filesystem::path& data);

/// hikyaku.toml (last), tls/ and dkim/ of the backup, each whole, where the instance has none. What
/// not everybody may read, the group of server.user may, if root restores. Invalid: the backup's
/// hikyaku.toml has errors; NotFound: there is no server.user; Corrupt: there are links in it.
Result<void> restore_config(const BackupInfo& backup, const Instance& instance);

/// What of hikyaku.toml, tls/ and dkim/ the backup has otherwise than the instance.
std::vector<std::filesystem::path> unused_config(const BackupInfo& backup,
                                                 const Instance& instance);

/// The directory of an instance's store, which nobody else opens while this lives. If it had to be
/// made for that, it goes again, unless something was put there.
class HeldData {
 public:
  /// Conflict: somebody has the store open. Denied, Io; NotFound: there is no server.user.
  static Result<std::unique_ptr<HeldData>> take(const Instance& instance,
                                                const config::Config& config);
  HeldData(const HeldData&) = delete;
  HeldData& operator=(const HeldData&) = delete;
  ~HeldData();

  bool has_store() const { return has_store_; }
  /// Whose the store shall be; nullopt: ours.
  const std::optional<SystemUser>& owner() const { return owner_; }

 private:
  friend Result<RestoreOutcome> restore_instance(const BackupInfo& backup, const Instance& instance,
                                                 const config::Config& config, HeldData& held,
                                                 const RestoreRules& rules);
  explicit HeldData(std::filesystem::path path) : path_(std::move(path)) {}
  void remove_made_lock();

  std::filesystem::path path_;
  std::unique_ptr<store::FileLock> lock_;
  std::optional<SystemUser> owner_;
  bool has_store_ = false;
  bool made_directory_ = false;
  bool made_lock_ = false;
};

/// Puts the backup's store in the place of the instance's, which is `held`; what is there, if
/// anything, is set aside. What was copied is compared with what the backup was when it was made,
/// verified, and mended as far as that goes; what is lost then is in the outcome. The store's epoch
/// is raised, so that numbers that were given out after the backup never come again, and what is in
/// the queue is held, for it may have been sent meanwhile. A failure, or a loss that is not wanted,
/// leaves the instance as it was, with what other restores have left beside it. As root, only a
/// process of its own that has become the server's user opens the store; no other threads run.
Result<RestoreOutcome> restore_instance(const BackupInfo& backup, const Instance& instance,
                                        const config::Config& config, HeldData& held,
                                        const RestoreRules& rules);

}  // namespace hikyaku::app
