// Migration: copies one IMAP account into another, provably and as often as one likes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/migration_folders.h"
#include "app/migration_state.h"
#include "base/result.h"
#include "base/task.h"
#include "client/imap_client.h"

namespace hikyaku::app {

/// One account, and how to get a connection to it that is logged in.
struct MigrationSide {
  std::string name;  ///< for people and for the state: "imaps://anna@mail.example"
  std::function<Task<Result<std::unique_ptr<client::ImapClient>>>()> connect;
};

/// What became of one folder.
struct FolderReport {
  std::string from;
  std::string to;
  bool created = false;
  std::uint64_t messages = 0;       ///< at the source now
  std::uint64_t bytes = 0;          ///< of them
  std::uint64_t copied = 0;         ///< now (of a dry run: to be copied)
  std::uint64_t already = 0;        ///< were at the target already
  std::uint64_t flags_changed = 0;  ///< followed now
  std::uint64_t at_target = 0;      ///< of the source's messages
  std::uint64_t missing = 0;        ///< were there once, and are not any more: deleted by somebody
  std::vector<std::string> problems;
  std::string from_hash;  ///< over the messages at the source
  std::string to_hash;    ///< over what the target gives back for them
  /// Every message of the source is at the target, byte for byte.
  bool proven() const { return problems.empty() && messages == at_target && from_hash == to_hash; }
};

struct MigrationSettings {
  bool dry_run = false;
  std::vector<std::string> exclude = {};
  std::size_t batch_messages = 100;      ///< in one APPEND, where the target takes several
  std::uint64_t batch_bytes = 16 << 20;  ///< a larger message goes alone
  int attempts = 6;                      ///< connections in a row without any progress
  milliseconds pause = seconds(1);       ///< before the second, doubled with each
};

/// A person who looks on.
struct MigrationProgress {
  std::function<void(const FolderPlan&, std::size_t number, std::size_t of)> folder =
      [](auto&, auto, auto) {};
  std::function<void(std::uint64_t done, std::uint64_t total)> messages = [](auto, auto) {};
  std::function<void(std::string_view)> trouble = [](auto) {};  ///< it goes on after a pause
};

/// Folders one after another; of each: what is new is copied (streamed, several messages in one
/// transaction of the target), changed flags follow, everything is read back from the target once.
/// After a lost connection it connects anew and goes on. On one loop. Unavailable when that is of
/// no use; Denied when a login is refused; the state's errors. What is done stays done.
Task<Result<std::vector<FolderReport>>> migrate(MigrationSide from, MigrationSide to,
                                                MigrationState& state, MigrationSettings settings,
                                                MigrationProgress progress);

}  // namespace hikyaku::app
