// A whole instance out of a backup.
#pragma once

#include <functional>

#include "app/backup_files.h"
#include "app/instance.h"
#include "config/config.h"

namespace hikyaku::app {

struct RestoreOutcome {
  std::uint32_t epoch = 0;
  std::uint64_t held = 0;        ///< queue entries that wait for somebody to release them
  std::filesystem::path former;  ///< where the data that was there is now; empty: none
};
/// Puts the backup's store in the place of the instance's; what is there, if anything, is set
/// aside. The store's epoch is raised, so that numbers that were given out after the backup never
/// come again, and what is in the queue is held, for it may have been sent meanwhile. A failure
/// leaves the instance as it was. Nobody has the store open. As root, becomes the server's user.
Result<RestoreOutcome> restore_instance(const BackupInfo& backup, const Instance& instance,
                                        const config::Config& config,
                                        const std::function<void(std::uint64_t)>& copied);

}  // namespace hikyaku::app
