#include "app/core.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "app/file_access.h"
#include "app/machine_memory.h"
#include "app/missing_store.h"
#include "base/text.h"
#include "config/diff.h"
#include "net/fd.h"
#include "store/open.h"
#include "store/posix_file_system.h"

namespace hikyaku::app {
namespace {

constexpr std::uint64_t kLeastMemory = 64ull << 20;

/// Where the server's user itself may not read it, that is what has to be mended.
Result<std::string> read_secret_key(const Instance& instance, const config::Config& config) {
  auto key = read_file(instance.secret_key, 4096);
  auto user = config.server.user;
  if (key || key.error().code != ErrorCode::Denied || judged_as(config) != user) return key;
  auto obstacle = find_obstacle(instance.secret_key);
  if (!obstacle) return key;
  return fail(ErrorCode::Denied, "{} cannot be read by {} (server.user): {}",
              instance.secret_key.string(), user, command_to_let_read(*obstacle, user));
}

}  // namespace

std::string key_mark(std::string_view secret_key) {
  auto key = crypto::MasterKey::parse(secret_key);
  return key ? auth::mark_of(*key) : "";
}

std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "localhost";
  return to_lower(name.data());
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t most) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(errno_error("cannot read " + path.string(), errno));
  std::string bytes;
  std::array<char, 16384> buffer;
  Result<std::string> result;
  while (true) {
    auto got = ::read(fd, buffer.data(), buffer.size());
    if (got == 0) break;
    if (got < 0) {
      result = std::unexpected(errno_error("cannot read " + path.string(), errno));
      break;
    }
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    if (bytes.size() > most) {
      result = fail(ErrorCode::TooLarge, "{} is larger than {} bytes", path.string(), most);
      break;
    }
  }
  ::close(fd);
  if (!result) return result;
  return bytes;
}

Result<void> write_new_file(const std::filesystem::path& path, std::string_view bytes,
                            unsigned mode) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return std::unexpected(errno_error("cannot make " + path.string(), errno));
  ::fchmod(fd, mode);
  auto failed = [&]() -> std::unexpected<Error> {
    auto error = errno_error("cannot write " + path.string(), errno);
    ::close(fd);
    ::unlink(path.c_str());
    return std::unexpected(std::move(error));
  };
  if (!net::write_all(fd, bytes)) return failed();
  if (::fsync(fd) != 0) return failed();
  ::close(fd);
  return {};
}

Result<bool> make_directory(const std::filesystem::path& path, unsigned mode) {
  auto failed = [&] { return std::unexpected(errno_error("cannot make " + path.string(), errno)); };
  std::error_code error;
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST && std::filesystem::is_directory(path, error)) return false;
    return failed();
  }
  // Whatever the umask says; no link is followed that somebody has put there since.
  net::UniqueFd made(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (made.get() >= 0 && ::fchmod(made.get(), mode) == 0) return true;
  auto why = failed();
  ::rmdir(path.c_str());
  return why;
}

Result<void> make_public_directories(const std::filesystem::path& path) {
  std::error_code error;
  if (path.empty() || std::filesystem::is_directory(path, error)) return {};
  if (path.has_parent_path() && path.parent_path() != path)
    TRY_DO(make_public_directories(path.parent_path()));
  TRY_DO(make_directory(path, 0755));
  return {};
}

MemoryPlan plan_memory(const config::Config& config) {
  MemoryPlan plan;
  plan.total = config.server.memory.count;
  // Found out now: the sandbox hides what says it.
  auto available = available_memory();
  if (plan.total == 0) plan.total = available / 4;
  plan.total = std::max(plan.total, kLeastMemory);
  plan.index = plan.total * 30 / 100;
  plan.staged = plan.total * 15 / 100;
  plan.views = plan.total * 15 / 100;
  plan.large = plan.total * 20 / 100;
  plan.sessions = std::max(available / 2, kLeastMemory);
  plan.trim_above = std::max(plan.sessions, plan.total);
  return plan;
}

Core::Core(Instance instance, config::Config config, Log log)
    : instance_(std::move(instance)),
      config_(nullptr),
      memory_(plan_memory(config)),
      log_(std::move(log)),
      host_name_(config.server.host_name.empty() ? machine_name() : config.server.host_name) {
  reconfigure(std::move(config));
}

Core::~Core() {
  close_store();
}

void Core::reconfigure(config::Config config) {
  // Certificates are reloaded every few weeks, mostly with the same file.
  if (!configs_.empty() && config::diff(*configs_.back(), config).empty()) return;
  configs_.push_back(std::make_unique<const config::Config>(std::move(config)));
  config_ = configs_.back().get();
}

void Core::close_store() {
  if (!store_) return;
  store_->close();
  store_.reset();
}

Result<std::unique_ptr<Core>> Core::open(Instance instance, config::Config config, Log log,
                                         Opening opening) {
  std::unique_ptr<Core> core(new Core(std::move(instance), std::move(config), std::move(log)));
  TRY(auto key, read_secret_key(core->instance_, core->config()));
  TRY(auto master, crypto::MasterKey::parse(key));
  core->master_ = std::make_unique<crypto::MasterKey>(std::move(master));
  core->workers_ =
      std::make_unique<net::ThreadPool>(std::max(2u, std::thread::hardware_concurrency()));
  core->hashers_ = std::make_unique<net::ThreadPool>(core->config().login.parallel,
                                                     net::ThreadPool::Priority::Low);
  store::Options options{.directory = core->instance_.data.string(),
                         .workers = *core->workers_,
                         .clock = core->clock_};
  options.log = core->log_;
  options.metrics = opening.metrics;
  options.lock_patience = opening.lock_patience;
  options.index_memory = core->memory_.index;
  options.staged_memory = core->memory_.staged;
  options.schema = kSchema;
  options.reserve = core->config().store.reserve.count;
  options.ballast = kBallast;
  if (opening.which == WhichStore::New) {
    options.if_missing = store::IfMissing::Make;
    store::PosixFileSystem files;
    TRY(bool missing, store::is_missing(files, options.directory));
    if (!missing)
      return fail(ErrorCode::Exists, "there is a store in {} already", options.directory);
  }
  auto opened = store::open_store(std::move(options));
  if (!opened && opened.error().code == ErrorCode::NotFound)
    if (auto missing = describe_missing_store(core->instance_, Language::English))
      return fail(ErrorCode::NotFound, "{}", *missing);
  if (!opened) return std::unexpected(std::move(opened).error());
  core->store_ = std::move(*opened);
  return core;
}

auth::CredentialUses Core::credential_uses() const {
  auto offers = [&config = this->config()](std::string_view name) { return config.offers(name); };
  return {.scram = offers("SCRAM-SHA-256") || offers("SCRAM-SHA-1") ||
                   offers("SCRAM-SHA-256-PLUS") || offers("SCRAM-SHA-1-PLUS"),
          .legacy = offers("CRAM-MD5") || offers("APOP")};
}

}  // namespace hikyaku::app
