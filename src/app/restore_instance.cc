#include "app/restore_instance.h"

#include <array>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core.h"
#include "app/log_sink.h"
#include "app/system_user.h"
#include "base/codec.h"
#include "config/load.h"
#include "net/cores.h"
#include "net/fd.h"
#include "queue/queue.h"
#include "store/posix_file_system.h"
#include "store/restore.h"

namespace hikyaku::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 500;
/// What whoever opens a store locks in its directory.
constexpr const char* kLockName = "LOCK";
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

std::string encode(const Result<RestoreOutcome>& outcome) {
  Encoder out;
  out.u8(outcome.has_value());
  if (outcome) {
    out.varint(outcome->epoch);
    out.varint(outcome->held);
  } else {
    out.u8(static_cast<std::uint8_t>(outcome.error().code));
    out.text(outcome.error().describe());
  }
  return out.take();
}

Result<RestoreOutcome> decode(std::string_view bytes) {
  Decoder in(bytes);
  if (in.u8() != 0) {
    RestoreOutcome outcome;
    outcome.epoch = static_cast<std::uint32_t>(in.varint());
    outcome.held = in.varint();
    return outcome;
  }
  auto code = static_cast<ErrorCode>(in.u8());
  auto text = in.text();
  if (in.failed())
    return fail(ErrorCode::Internal, "the process that opened the restored store ended early");
  return fail(code, "{}", text);
}

/// All that comes until the other end is closed.
std::string read_to_end(int fd) {
  std::string bytes;
  std::array<char, 4096> piece;
  for (;;) {
    auto got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
  }
}

/// renew() by a process of its own, which has become the server's user for good: what it writes
/// belongs to that user, and nothing in the backup is opened with rights that it should not have.
/// We keep ours, to put the result in its place.
Result<RestoreOutcome> renew_apart(const fs::path& data, std::uint32_t least,
                                   const Instance& instance, const config::Config& config) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(errno_error("pipe", errno));
  net::UniqueFd from(ends[0]), to(ends[1]);
  auto child = ::fork();
  if (child < 0) return std::unexpected(errno_error("fork", errno));
  if (child == 0) {
    auto work = [&]() -> Result<RestoreOutcome> {
      TRY_DO(become_user(config.server.user));
      return renew(data, least, instance, config);
    };
    // Less than what a pipe holds: nothing is cut.
    auto words = encode(work());
    ::_exit(::write(to.get(), words.data(), words.size()) < 0 ? 1 : 0);
  }
  to.reset();
  auto words = read_to_end(from.get());
  int status = 0;
  while (::waitpid(child, &status, 0) != child)
    if (errno != EINTR) break;
  return decode(words);
}

std::uint32_t epoch_there(const fs::path& data) {
  net::ThreadPool workers(1);
  SystemClock clock;
  return store::epoch_of({.directory = data.string(), .workers = workers, .clock = clock});
}

/// Whose the store and the keys shall be; nullopt: ours.
Result<std::optional<SystemUser>> owner_of(const config::Config& config) {
  if (::geteuid() != 0 || config.server.user.empty()) return std::optional<SystemUser>();
  auto user = find_user(config.server.user);
  if (!user) return fail(ErrorCode::NotFound, "there is no user {}", config.server.user);
  return user;
}

/// As quickstart leaves it: directories for everybody, keys for root and the server.
Result<void> let_server_read(const fs::path& path, const std::optional<SystemUser>& owner) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0)
    return std::unexpected(errno_error("cannot look at " + path.string(), errno));
  if (S_ISDIR(facts.st_mode)) {
    if (::chmod(path.c_str(), 0755) == 0) return {};
    return std::unexpected(errno_error("cannot open " + path.string() + " to others", errno));
  }
  if ((facts.st_mode & S_IROTH) != 0) return {};
  return let_read(path, owner, 0640);
}

/// A directory or file of the backup's configuration, whole or not at all.
Result<void> put_config(const fs::path& from, const fs::path& to,
                        const std::optional<SystemUser>& owner) {
  std::error_code error;
  auto beside = to;
  beside += ".restoring";
  fs::remove_all(beside, error);
  auto put = [&]() -> Result<void> {
    TRY_DO(copy_tree(from, beside, std::nullopt, [](std::uint64_t) {}));
    TRY_DO(let_server_read(beside, owner));
    if (fs::is_directory(beside, error))
      for (auto& entry : fs::recursive_directory_iterator(beside, error))
        TRY_DO(let_server_read(entry.path(), owner));
    if (!error) fs::rename(beside, to, error);
    if (error) return failed("cannot make " + to.string(), error);
    sync_directory(to.parent_path());
    return {};
  };
  auto done = put();
  if (!done) fs::remove_all(beside, error);
  return done;
}

}  // namespace

Result<void> restore_config(const BackupInfo& backup, const Instance& instance) {
  auto in_backup = [&](const fs::path& path) { return backup.config() / path.filename(); };
  auto config = config::load_file(in_backup(instance.config));
  if (!config) return fail(ErrorCode::Invalid, "{}", config.error().describe());
  TRY(auto owner, owner_of(*config));
  std::error_code error;
  fs::create_directories(instance.config.parent_path(), error);
  if (error) return failed("cannot make " + instance.config.parent_path().string(), error);
  for (auto& path : {instance.tls, instance.dkim, instance.config})
    if (!fs::exists(path, error) && fs::exists(in_backup(path), error))
      TRY_DO(put_config(in_backup(path), path, owner));
  return {};
}

Result<std::unique_ptr<HeldData>> HeldData::take(const Instance& instance,
                                                 const config::Config& config) {
  const auto& data = instance.data;
  std::unique_ptr<HeldData> held(new HeldData(data));
  TRY(held->owner_, owner_of(config));
  std::error_code error;
  fs::create_directories(data.parent_path(), error);
  if (error) return failed("cannot make " + data.parent_path().string(), error);
  held->made_directory_ = ::mkdir(data.c_str(), 0700) == 0;
  if (!held->made_directory_ && errno != EEXIST)
    return std::unexpected(errno_error("cannot make " + data.string(), errno));
  held->has_store_ = fs::exists(data / "STORE", error);
  auto lock = data / kLockName;
  auto is_new = !fs::exists(lock, error);
  TRY(held->lock_, store::PosixFileSystem().lock(lock.string()));
  held->made_lock_ = is_new;
  return held;
}

HeldData::~HeldData() {
  remove_made_lock();
  if (made_directory_) ::rmdir(path_.c_str());  // if nothing is in it
}

void HeldData::remove_made_lock() {
  if (std::exchange(made_lock_, false)) ::unlink((path_ / kLockName).c_str());
}

Result<RestoreOutcome> restore_instance(const BackupInfo& backup, const Instance& instance,
                                        const config::Config& config, HeldData& held,
                                        const std::function<void(std::uint64_t)>& copied) {
  std::optional<std::pair<std::uint32_t, std::uint32_t>> owner;
  if (held.owner()) owner.emplace(held.owner()->uid, held.owner()->gid);
  const auto& data = instance.data;
  auto beside = data;
  beside += ".restoring";
  std::error_code error;
  fs::remove_all(beside, error);
  // Twice from the same backup, or from an older one, must not give the same numbers again.
  auto least = std::max({backup.epoch, epoch_there(data), noted_restore(backup)}) + 1;
  auto put = [&]() -> Result<RestoreOutcome> {
    TRY_DO(copy_tree(backup.store(), beside, owner, copied));
    note_restore(backup, least);
    TRY(auto outcome, (owner ? renew_apart : renew)(beside, least, instance, config));
    held.remove_made_lock();
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
    sync_directory(data.parent_path());
    return outcome;
  };
  auto outcome = put();
  if (!outcome) fs::remove_all(beside, error);
  return outcome;
}

}  // namespace hikyaku::app
