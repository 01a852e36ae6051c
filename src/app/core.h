// Core: what both the running server and an offline command stand on: configuration, keys, workers,
// the open store.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "app/instance.h"
#include "auth/credentials.h"
#include "base/log.h"
#include "base/patient_clock.h"
#include "base/result.h"
#include "base/time.h"
#include "config/config.h"
#include "crypto/master_key.h"
#include "crypto/random.h"
#include "net/worker_pool.h"
#include "store/metrics.h"
#include "store/store.h"

namespace hikyaku::app {

/// What memory is used for, in bytes.
struct MemoryPlan {
  /// server.memory, or what it stands for. The shares make 80 %: the rest is room for what nobody
  /// counts.
  std::uint64_t total = 0;
  std::uint64_t index = 0;   ///< 30 %: RocksDB's cache with its write buffers
  std::uint64_t staged = 0;  ///< 15 %: bodies on their way in
  std::uint64_t views = 0;   ///< 15 %: open mailboxes
  std::uint64_t large = 0;   ///< 20 %: large messages that are parsed or searched as a whole

  // Beside that:
  /// What connections may hold unless limits.memory says: half of what there is.
  std::uint64_t sessions = 0;
  /// With more in use, free pages of the heap go back: half of what there is, or what was planned.
  std::uint64_t trim_above = 0;
};
/// Without a configured value: a quarter of the machine's memory or of the cgroup's limit,
/// whichever is less.
MemoryPlan plan_memory(const config::Config& config);

/// Which store is opened. Where one is missing, a new one would bounce the mail of everybody who
/// has an account in the old one: whoever wants it says so.
enum class WhichStore { Existing, New };

/// How its store is opened.
struct Opening {
  store::Metrics metrics = {};
  WhichStore which = WhichStore::Existing;
  milliseconds lock_patience{0};  ///< for another process that holds it
};

class Core {
 public:
  /// Reads secret.key and opens the store. Conflict when another process (the server) holds it;
  /// NotFound when there is none, Exists when there shall be none (missing_store.h tells more).
  static Result<std::unique_ptr<Core>> open(Instance instance, config::Config config, Log log,
                                            Opening opening = {});
  ~Core();

  /// Closes the store, while the event loops still run: it may yet have something to tell them.
  /// Nobody uses it afterwards.
  void close_store();

  const Instance& instance() const { return instance_; }
  /// What counts now: that of the start, or what a reload has made of it since. What it gives stays
  /// valid, but old after a reload: ask anew for every decision. From any thread.
  const config::Config& config() const { return *config_.load(); }
  /// After a reload. From any thread, but from one at a time.
  void reconfigure(config::Config config);
  const MemoryPlan& memory() const { return memory_; }
  const Clock& clock() const { return clock_; }
  /// For what is forgotten, or given up, by its age.
  const PatientClock& patient_clock() const { return patient_clock_; }
  crypto::Random& random() { return random_; }
  const crypto::MasterKey& master() const { return *master_; }
  net::ThreadPool& workers() { return *workers_; }
  /// For password hashes.
  net::ThreadPool& hashers() { return *hashers_; }
  store::Store& store() { return *store_; }
  const Log& log() const { return log_; }

  /// server.host_name, or the machine's name.
  const std::string& host_name() const { return host_name_; }
  /// What the listeners' mechanisms need to be stored of every password. It follows reloads.
  auth::CredentialUses credential_uses() const;

 private:
  Core(Instance instance, config::Config config, Log log);

  Instance instance_;
  /// All that ever counted, the last one now: somebody may still be reading an older one.
  std::vector<std::unique_ptr<const config::Config>> configs_;
  std::atomic<const config::Config*> config_;
  MemoryPlan memory_;
  Log log_;
  SystemClock clock_;
  PatientClock patient_clock_{clock_};
  crypto::SystemRandom random_;
  std::string host_name_;
  std::unique_ptr<crypto::MasterKey> master_;
  std::unique_ptr<net::ThreadPool> workers_;
  std::unique_ptr<net::ThreadPool> hashers_;
  std::unique_ptr<store::Store> store_;
};

/// The version of the rows of all tables: raised when an older program could not go on with them.
inline constexpr std::uint64_t kSchema = 1;
/// Space for the time when others have filled the disk: a flush of the index, at most 32 MB of
/// operations compressed to half, and a log segment.
inline constexpr std::uint64_t kBallast = 16ull << 20;

/// Says which secret.key this is (the contents of the file) without telling anything about it; ""
/// if it is none.
std::string key_mark(std::string_view secret_key);

/// The name of this machine, in lower case; "localhost" if it has none.
std::string machine_name();

/// Makes a directory with this mode; false: it is there already. Denied, Io.
Result<bool> make_directory(const std::filesystem::path& path, unsigned mode);

/// Makes a directory that everybody may enter, and those above it that are missing. Denied, Io.
Result<void> make_public_directories(const std::filesystem::path& path);

/// The whole of a small file. NotFound, Denied, Io; TooLarge above `most` bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t most = 1 << 20);
/// Writes a new file with these permissions; Exists when it is there already.
Result<void> write_new_file(const std::filesystem::path& path, std::string_view bytes,
                            unsigned mode);

}  // namespace hikyaku::app
