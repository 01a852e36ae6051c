// One store on a simulated disk, the mail work that is done in it, and what must be true of it
// after every crash. Everything happens on one thread and follows from the seed.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>

#include "base/executor.h"
#include "recorded_store.h"
#include "store/open.h"
#include "store/simulated_file_system.h"
#include "testing/test_loop.h"
#include "watched_files.h"

namespace hikyaku::torture {

/// What must hold does not.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Runs what it is given at once.
class InlineWorkers final : public WorkerPool {
 public:
  void submit(Callback work) override { work(); }
};

inline constexpr store::AccountId kAccounts = 3;  ///< 1, 2, 3

class World {
 public:
  explicit World(std::uint64_t seed, Break broken = Break::None);
  ~World();

  store::Options options();
  /// Opens the store, through any number of crashes during recovery if `crashes_too`; checks that
  /// it is whole. Throws Broken.
  void open(bool crashes_too);
  void close();
  /// Opens it and says why it cannot be opened, or is for reading only; "" if all is well.
  std::string try_open();
  bool is_open() const { return store_ != nullptr; }
  RecordedStore& store() { return *store_; }

  /// The next transactions of the history are those of the model, every acknowledged transaction is
  /// in it, all rows and bodies are what the model says, counters are right. Throws Broken.
  void check();
  /// The store's own check of every byte. Throws Broken.
  void verify();
  /// The numbers of all transactions that were acknowledged as durable.
  std::set<std::uint64_t> acknowledged() const;
  /// The copy in kBackup is a whole store, with these transactions in it. Throws Broken.
  void check_backup(const std::set<std::uint64_t>& transactions);
  static constexpr const char* kBackup = "/backup";
  /// Everything that follows the history and is not in it is gone, and so are the numbers in it.
  Model model_without(const std::set<std::uint64_t>& lost) const;
  void compare(const Model& model, const std::set<store::BlobId>& unreadable = {});

  std::uint64_t number(std::uint64_t below) { return random() % below; }
  bool one_in(std::uint64_t n) { return number(n) == 0; }

  std::uint64_t seed;
  std::mt19937_64 random;
  testing::TestLoop loop;
  InlineWorkers workers;
  store::SimulatedFileSystem files;
  WatchedFiles watched;  ///< the same, as the store sees them
  const Break broken_part;
  Recorder recorder;
  std::uint64_t crashes = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t bodies_moved = 0;
  std::uint64_t backups = 0;
  std::uint64_t history() const { return in_order_.size(); }
  const Model& model() const { return model_; }

 private:
  Task<void> read_history();
  Task<void> compare_all(const Model& model, const std::set<store::BlobId>& unreadable);

  std::unique_ptr<RecordedStore> store_;
  Model model_;
  std::vector<std::uint64_t> in_order_;  ///< the history so far
  std::set<std::uint64_t> seen_;
};

/// Random mail work: deliveries, flags, copies, moves, expunges, long appends, mailboxes; space
/// returns and backups are made beside it.
class MailWork {
 public:
  explicit MailWork(World& world) : world_(world) {}

  /// What a server does at its start.
  Task<void> start();
  /// Some clients at once, until they are done or the store fails them.
  void run(int clients, std::uint64_t operations);

  std::uint64_t done() const { return done_; }

 private:
  struct Shown {
    std::uint32_t uid_next = 1;
  };
  using MailboxName = std::tuple<store::AccountId, std::uint32_t, std::uint32_t>;

  Task<void> client(std::uint64_t operations);
  Task<bool> operation();
  Task<bool> deliver(store::AccountId account);
  Task<bool> flags(store::AccountId account);
  Task<bool> move(store::AccountId account);
  Task<bool> copy(store::AccountId account);
  Task<bool> expunge(store::AccountId account);
  Task<bool> long_append(store::AccountId account);
  Task<bool> mailboxes(store::AccountId account);
  Task<bool> housekeeping(store::AccountId account);
  Task<bool> lazy_rows(store::AccountId account);
  Task<bool> look(store::AccountId account);
  Task<bool> reclaim();
  Task<bool> backup();
  Task<Result<void>> copy_frozen();

  Task<std::optional<store::StagedBlob>> stage(std::string bytes);
  std::string message_text();
  std::string any_path();
  Task<std::vector<std::uint32_t>> some_uids(store::AccountId account, std::uint32_t mailbox);
  Task<std::uint32_t> any_mailbox(store::AccountId account);

  World& world_;
  std::uint64_t next_message_ = 1;
  std::uint64_t done_ = 0;
  bool backing_up_ = false;
  /// What was given out and acknowledged: never again.
  std::set<std::tuple<store::AccountId, std::uint32_t, std::uint32_t, std::uint32_t>> uids_;
  std::set<std::pair<store::AccountId, std::uint64_t>> changes_;
  /// What readers have been shown.
  std::map<MailboxName, std::uint32_t> shown_uid_next_;
  std::map<store::AccountId, std::uint64_t> shown_change_;
};

}  // namespace hikyaku::torture
