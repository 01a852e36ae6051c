#include "app/restore_instance.h"

#include <fmt/core.h>

#include "app/core.h"
#include "app/log_sink.h"
#include "app/system_user.h"
#include "net/cores.h"
#include "queue/queue.h"
#include "store/restore.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 500;
constexpr std::string_view kHoldReason = "restored from a backup: it may have been sent since then";

Task<Result<std::uint64_t>> hold_queue(store::Store& store) {
  std::uint64_t held = 0;
  for (queue::MessageId after = 0;;) {
    auto entries = co_await store.read(
        [after](store::Reader& reader) { return queue::list(reader, after, kPiece); });
    if (entries.empty()) co_return held;
    after = entries.back().message;
    CO_TRY_DO(
        co_await store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
          for (auto& entry : entries)
            if (entry.state != queue::State::Held)
              TRY_DO(queue::hold(tx, entry.message, entry.number, kHoldReason));
          return {};
        }));
    held += entries.size();
  }
}

Result<std::uint64_t> settle_queue(Instance instance, const fs::path& data,
                                   const config::Config& config) {
  SystemClock clock;
  StandardErrorSink sink(config.log.format, clock);
  instance.data = data;
  TRY(auto core, Core::open(std::move(instance), config, Log(sink, LogLevel::Warn)));
  net::Cores cores(1);
  cores.start();
  auto held = cores.run(0, [&] { return hold_queue(core->store()); });
  core->close_store();
  cores.stop();
  cores.join();
  return held;
}

std::unexpected<Error> failed(const std::string& what, const std::error_code& error) {
  return std::unexpected(errno_error(what, error.value()));
}

/// The store in `data` raised to a new epoch; nothing of it is in use yet.
Result<RestoreOutcome> renew(const fs::path& data, std::uint32_t least, const Instance& instance,
                             const config::Config& config) {
  RestoreOutcome outcome;
  {
    net::ThreadPool workers(1);
    SystemClock clock;
    store::Options options{.directory = data.string(), .workers = workers, .clock = clock};
    options.schema = kSchema;
    TRY(outcome.epoch, store::raise_epoch(options, least));
  }
  TRY(outcome.held, settle_queue(instance, data, config));
  return outcome;
}

std::uint32_t epoch_there(const fs::path& data) {
  net::ThreadPool workers(1);
  SystemClock clock;
  return store::epoch_of({.directory = data.string(), .workers = workers, .clock = clock});
}

}  // namespace

Result<RestoreOutcome> restore_instance(const BackupInfo& backup, const Instance& instance,
                                        const config::Config& config,
                                        const std::function<void(std::uint64_t)>& copied) {
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner;
  if (::geteuid() == 0 && !config.server.user.empty()) {
    auto user = find_user(config.server.user);
    if (!user) return fail(ErrorCode::NotFound, "there is no user {}", config.server.user);
    owner.emplace(user->uid, user->gid);
  }
  const auto& data = instance.data;
  auto beside = data;
  beside += ".restoring";
  std::error_code error;
  fs::remove_all(beside, error);
  fs::create_directories(data.parent_path(), error);
  // Twice from the same backup, or from an older one, must not give the same numbers again.
  auto least = std::max({backup.epoch, epoch_there(data), noted_restore(backup)}) + 1;
  auto put = [&]() -> Result<RestoreOutcome> {
    TRY_DO(copy_tree(backup.store(), beside, owner, copied));
    note_restore(backup, least);
    TRY_DO(become_user(config.server.user));
    TRY(auto outcome, renew(beside, least, instance, config));
    if (fs::exists(data, error) && !fs::is_empty(data, error)) {
      outcome.former = data;
      outcome.former += ".before-restore";
      for (int i = 2; fs::exists(outcome.former, error); ++i) {
        outcome.former = data;
        outcome.former += fmt::format(".before-restore-{}", i);
      }
      fs::rename(data, outcome.former, error);
      if (error) return failed("cannot set aside " + data.string(), error);
    }
    fs::rename(beside, data, error);
    if (error) {
      auto why = error;
      if (!outcome.former.empty()) fs::rename(outcome.former, data, error);
      return failed("cannot put in place " + data.string(), why);
    }
    return outcome;
  };
  auto outcome = put();
  if (!outcome) fs::remove_all(beside, error);
  return outcome;
}

}  // namespace hikyaku::app
