#include "app/migration.h"

#include <algorithm>
#include <set>

#include "app/folder_migration.h"
#include "base/async.h"
#include "base/text.h"

namespace hikyaku::app {
namespace {

using client::ImapClient;

Error refused(std::string_view what, const ImapClient::Refusal& refusal) {
  return {ErrorCode::Unavailable, fmt::format("{}: {}", what, refusal.describe()), nullptr};
}

Task<Result<AccountFolders>> list_account(ImapClient& client) {
  AccountFolders account;
  auto space = co_await client.personal_namespace();
  if (!space) co_return std::unexpected(refused("NAMESPACE", space.error()));
  account.prefix = space->prefix;
  account.separator = space->separator;
  auto pattern = account.prefix.empty() ? "*" : account.prefix + "*";
  auto listed = co_await client.list({.pattern = pattern, .special_use = true});
  if (!listed) co_return std::unexpected(refused("LIST", listed.error()));
  account.folders = std::move(*listed);
  if (!account.prefix.empty()) {
    // INBOX stands beside its namespace.
    auto inbox = co_await client.list({.pattern = "INBOX", .special_use = true});
    if (!inbox) co_return std::unexpected(refused("LIST", inbox.error()));
    for (auto& folder : *inbox) account.folders.push_back(std::move(folder));
  }
  auto subscribed = co_await client.list({.pattern = pattern, .subscribed = true});
  if (!subscribed) co_return std::unexpected(refused("LIST", subscribed.error()));
  for (auto& folder : *subscribed) account.subscribed.push_back(std::move(folder.name));
  account.can_create_special_use = client.has("CREATE-SPECIAL-USE");
  co_return account;
}

FolderReport without_name(const FolderPlan& plan) {
  FolderReport report;
  report.from = plan.from;
  report.problems.emplace_back(
      "it has no name that the target could give a folder: it is left alone (--exclude names what "
      "is not to be moved)");
  return report;
}

/// Both accounts, folder by folder, with connections that are made anew when they are lost.
class Migration {
 public:
  Migration(MigrationSide from, MigrationSide to, MigrationState& state, MigrationSettings settings,
            MigrationProgress progress)
      : from_(std::move(from)),
        to_(std::move(to)),
        state_(state),
        settings_(std::move(settings)),
        progress_(std::move(progress)) {}

  Task<Result<std::vector<FolderReport>>> run() {
    while (true) {
      auto before = done_;
      auto ended = co_await attempt();
      if (ended) co_return std::move(reports_);
      // A server that was never reached is probably not there at all.
      bool again = ended.error().code == ErrorCode::Unavailable && !plans_.empty();
      if (done_ > before) failures_ = 0;
      if (!again || ++failures_ >= settings_.attempts)
        co_return std::unexpected(std::move(ended).error());
      progress_.trouble(ended.error().describe());
      co_await sleep_for(settings_.pause * (1 << std::min(failures_ - 1, 6)));
    }
  }

 private:
  /// As far as the connections hold. Unavailable: try again.
  Task<Result<>> attempt() {
    try {
      auto result = co_await connected();
      if (source_) co_await source_->log_out();
      if (target_) co_await target_->log_out();
      co_return result;
    } catch (const net::Disconnected& gone) {
      co_return fail(ErrorCode::Unavailable, "the connection is lost: {}", gone.what());
    }
  }

  Task<Result<>> connected() {
    source_.reset();
    target_.reset();
    CO_TRY(source_, co_await from_.connect());
    CO_TRY(target_, co_await to_.connect());
    if (plans_.empty()) {
      CO_TRY(auto source, co_await list_account(*source_));
      CO_TRY(auto target, co_await list_account(*target_));
      plans_ = plan_folders(source, target, settings_.exclude);
    }
    while (reports_.size() < plans_.size()) {
      auto& plan = plans_[reports_.size()];
      progress_.folder(plan, reports_.size() + 1, plans_.size());
      if (plan.to.empty()) {
        reports_.push_back(without_name(plan));
        continue;
      }
      FolderMigration folder(*source_, *target_, state_, settings_, plan,
                             [this](std::uint64_t done, std::uint64_t total) {
                               done_ += done > 0;
                               progress_.messages(done, total);
                             });
      auto report = co_await folder.run();
      if (!report) co_return std::unexpected(std::move(report).error());
      ++done_;
      reports_.push_back(std::move(*report));
    }
    co_return Result<>{};
  }

  MigrationSide from_;
  MigrationSide to_;
  MigrationState& state_;
  MigrationSettings settings_;
  MigrationProgress progress_;
  std::unique_ptr<ImapClient> source_;
  std::unique_ptr<ImapClient> target_;
  std::vector<FolderPlan> plans_;
  std::vector<FolderReport> reports_;
  std::uint64_t done_ = 0;  // anything that was achieved
  int failures_ = 0;
};

}  // namespace

Task<Result<std::vector<FolderReport>>> migrate(MigrationSide from, MigrationSide to,
                                                MigrationState& state, MigrationSettings settings,
                                                MigrationProgress progress) {
  Migration migration(std::move(from), std::move(to), state, std::move(settings),
                      std::move(progress));
  co_return co_await migration.run();
}

}  // namespace hikyaku::app
