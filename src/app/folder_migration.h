// FolderMigration: one folder's messages from one account into another. Private to migration.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "app/migration.h"

namespace hikyaku::app {

class FolderMigration {
 public:
  using OnProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

  /// Everything outlives it. `plan.exists` becomes true once the folder is there.
  FolderMigration(client::ImapClient& source, client::ImapClient& target, MigrationState& state,
                  const MigrationSettings& settings, FolderPlan& plan, OnProgress on_progress);

  /// Unavailable: a server will not do what is needed at all. Throws net::Disconnected; it can be
  /// done again then.
  Task<Result<FolderReport>> run();

 private:
  /// A message at the source.
  struct Listed {
    std::uint32_t uid = 0;
    std::uint32_t flags = 0;
    std::uint64_t size = 0;
    std::optional<Time> date;
  };
  /// A message at the target.
  struct Present {
    std::uint32_t uid = 0;
    std::uint64_t size = 0;
  };
  /// The content of one, as read.
  struct Hashed {
    std::uint32_t uid = 0;
    Sha256 hash{};
  };
  class SourceLister;
  class TargetLister;
  class Hasher;
  class Copier;

  /// False: there is nothing more to do; report_ says why.
  Task<Result<bool>> open_mailboxes();
  Task<Result<>> list_source();
  Task<Result<>> list_target();
  std::vector<Listed> find_fresh() const;
  Task<Result<>> transfer(std::vector<Listed> fresh);
  /// What is at the target without our knowing (a crash between its answer and our note, a former
  /// move) and is one of the new messages, by content: taken out of `fresh`.
  Task<Result<>> recognize(std::vector<Listed>& fresh);
  Task<Result<std::vector<Hashed>>> hash_all(client::ImapClient& client,
                                             std::vector<std::uint32_t> uids);
  std::vector<std::uint32_t> strangers() const;
  Task<Result<>> copy(std::span<const Listed> fresh);
  Task<Result<>> copy_batch(std::span<const Listed> batch);
  Task<Result<>> copy_singly(std::span<const Listed> batch);
  Result<> note_copied(const Copier& copier, const client::ImapClient::Appended& appended);
  /// Messages whose UID the target did not tell: by content.
  Task<Result<>> find_unknown_uids();
  Task<Result<>> follow_flags();
  Task<Result<>> read_back();
  void count();
  /// What the target has of it is not what was sent.
  void wrong(const MovedMessage& moved);
  bool is_at_target(std::uint32_t uid) const;
  imap::Flags settable(std::uint32_t flags_id) const;
  void problem(std::string text);
  void advance(std::uint64_t by);

  client::ImapClient& source_;
  client::ImapClient& target_;
  MigrationState& states_;
  const MigrationSettings& settings_;
  FolderPlan& plan_;
  OnProgress on_progress_;
  std::optional<FolderState> state_;
  FolderReport report_;
  std::vector<Listed> listed_;                 // at the source, by UID
  std::vector<Present> present_;               // at the target, by UID
  std::map<std::uint32_t, Sha256> different_;  // at the target, what it is instead
  std::vector<std::uint32_t> again_;           // at the source, to be copied by the next run
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace hikyaku::app
