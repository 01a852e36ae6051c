#include "store/rocks_index.h"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <sys/stat.h>
#include <system_error>
#include <tuple>

#include "base/codec.h"
#include "store/rocks_environment.h"
#include "store/rocks_files.h"
#include "store/rocks_table.h"

namespace hikyaku::store {
namespace {

/// Account 0, table 0: nobody else's key. Holds the JournalPosition that the rows belong to.
constexpr std::string_view kPositionKey("\0\0\0\0\0", 5);
/// Keys begin with their account.
constexpr std::size_t kPrefix = 4;
/// RocksDB's file that names what belongs to it.
constexpr const char* kCurrent = "CURRENT";

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view text(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

Error to_error(const rocksdb::Status& status, std::string_view doing) {
  auto code = ErrorCode::Io;
  if (status.IsCorruption()) code = ErrorCode::Corrupt;
  if (status.IsNoSpace()) code = ErrorCode::NoSpace;
  if (status.IsLockLimit() || status.IsBusy()) code = ErrorCode::Conflict;
  // Its statuses know the number of an error no more.
  for (auto passing : {EMFILE, ENFILE, ENOMEM})
    if (status.IsIOError() && status.ToString().ends_with(std::generic_category().message(passing)))
      code = ErrorCode::Unavailable;
  return Error{code, fmt::format("{}: {}", doing, status.ToString()), nullptr};
}

/// Files that are named and not there, and lists that mean nothing, are damage: of the index alone.
Error to_opening_error(const rocksdb::Status& status, std::string_view doing) {
  auto error = to_error(status, doing);
  if (status.IsPathNotFound() || status.IsNotFound() || status.IsInvalidArgument() ||
      status.IsNotSupported() || status.IsIncomplete())
    error.code = ErrorCode::Corrupt;
  // What there is to say says who has it.
  if (status.IsBusy() && status.getState()) error.text = status.getState();
  return error;
}

using Damage = std::shared_ptr<IndexDamage>;

/// The error, told.
Error damaged(const rocksdb::Status& status, std::string_view doing, const Damage& damage) {
  auto error = to_error(status, doing);
  if (damage) damage->found(error);
  return error;
}

void set_reach(rocksdb::ReadOptions& options, Reach reach) {
  if (reach == Reach::Memory) options.read_tier = rocksdb::kBlockCacheTier;
  options.fill_cache = reach != Reach::Once;
}

/// Throws what a failed read means.
void check_read(const rocksdb::Status& status, const Damage& damage) {
  if (status.ok() || status.IsNotFound()) return;
  if (status.IsIncomplete()) throw ColdRead{};
  throw IndexError(damaged(status, "cannot read the index", damage).text);
}

class BackgroundErrors final : public rocksdb::EventListener {
 public:
  BackgroundErrors(Log log, Damage damage) : log_(std::move(log)), damage_(std::move(damage)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    log_.error("store.index_background_error", {{"err", status->ToString()}});
    // Later writes will fail for it; what else fails here is a disk that is full.
    if (status->IsCorruption()) (void)damaged(*status, "cannot read the index", damage_);
  }
  /// On a full disk it would wait for four times its write buffers, and refuse to be resumed by us.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  Log log_;
  Damage damage_;
};

/// RocksDB's own log of what it does ends the process when it cannot be written (7.8.3 as Debian
/// builds it: an assertion, the first time on a full disk). What matters comes as errors.
class NoLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

/// On simulated files whatever a call has begun in the background ends before anything else
/// happens.
class Settled {
 public:
  explicit Settled(RocksEnvironment* environment) : environment_(environment) {
    if (environment_) environment_->begin();
  }
  Settled(const Settled&) = delete;
  Settled& operator=(const Settled&) = delete;
  ~Settled() {
    if (environment_) environment_->settle();
  }

 private:
  RocksEnvironment* environment_;
};

class RocksCursor final : public IndexCursor {
 public:
  RocksCursor(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, const KeyRange& range,
              Reach reach, Damage damage)
      : range_(range),
        lower_(slice(range_.begin)),
        upper_(slice(range_.end)),
        damage_(std::move(damage)) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    // Bounds keep a seek from walking over the tombstones of its neighbours.
    options.iterate_lower_bound = &lower_;
    options.iterate_upper_bound = &upper_;
    options.total_order_seek = text(lower_).substr(0, kPrefix) != text(upper_).substr(0, kPrefix);
    set_reach(options, reach);
    iterator_.reset(db.NewIterator(options));
  }

  void seek(std::string_view key) override {
    iterator_->Seek(slice(std::max<std::string_view>(key, range_.begin)));
    check();
  }
  void seek_before(std::string_view key) override {
    key = std::min<std::string_view>(key, range_.end);
    iterator_->SeekForPrev(slice(key));
    check();
    if (valid() && this->key() == key) previous();
  }
  bool valid() const override { return iterator_->Valid(); }
  void next() override {
    iterator_->Next();
    check();
  }
  void previous() override {
    iterator_->Prev();
    check();
  }
  std::string_view key() const override { return text(iterator_->key()); }
  std::string_view value() const override { return text(iterator_->value()); }

 private:
  void check() const {
    if (!iterator_->Valid()) check_read(iterator_->status(), damage_);
  }

  KeyRange range_;
  rocksdb::Slice lower_;
  rocksdb::Slice upper_;
  Damage damage_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksView final : public IndexView {
 public:
  RocksView(std::shared_ptr<rocksdb::DB> db, std::shared_ptr<RocksEnvironment> environment,
            Damage damage)
      : db_(std::move(db)),
        environment_(std::move(environment)),
        damage_(std::move(damage)),
        snapshot_(db_->GetSnapshot()) {}
  RocksView(const RocksView&) = delete;
  RocksView& operator=(const RocksView&) = delete;
  ~RocksView() override {
    Settled settled(environment_.get());  // it may begin a compaction
    db_->ReleaseSnapshot(snapshot_);
  }

  std::optional<std::string> get(std::string_view key, Reach reach) const override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    set_reach(options, reach);
    rocksdb::PinnableSlice value;
    auto status = db_->Get(options, db_->DefaultColumnFamily(), slice(key), &value);
    check_read(status, damage_);
    if (!status.ok()) return std::nullopt;
    return std::string(text(value));
  }
  std::unique_ptr<IndexCursor> cursor(const KeyRange& range, Reach reach) const override {
    return std::make_unique<RocksCursor>(*db_, snapshot_, range, reach, damage_);
  }

 private:
  std::shared_ptr<rocksdb::DB> db_;
  std::shared_ptr<RocksEnvironment> environment_;
  Damage damage_;
  const rocksdb::Snapshot* snapshot_;
};

std::string encode(JournalPosition position) {
  Encoder out;
  out.varint(position.lsn);
  out.varint(position.segment);
  out.varint(position.end);
  return out.take();
}

class RocksIndex final : public Index {
 public:
  /// `environment` is null unless the files are simulated.
  RocksIndex(std::shared_ptr<rocksdb::DB> db, std::shared_ptr<RocksEnvironment> environment,
             Damage damage)
      : environment_(std::move(environment)), db_(std::move(db)), damage_(std::move(damage)) {}

  Result<void> load() {
    std::string value;
    auto status = db_->Get({}, slice(kPositionKey), &value);
    if (status.IsNotFound()) return {};
    if (!status.ok()) return std::unexpected(to_error(status, "cannot read the index"));
    auto position = decode_position(value);
    if (!position) return fail(ErrorCode::Corrupt, "the index has lost its place in the journal");
    flushed_ = position_ = *position;
    return {};
  }

  JournalPosition position() const override {
    std::lock_guard lock(mutex_);
    return position_;
  }
  JournalPosition flushed() const override {
    std::lock_guard lock(mutex_);
    return flushed_;
  }

  Result<void> apply(const Overlay& writes, JournalPosition position) override {
    rocksdb::WriteBatch batch(writes.encoded_bound() + 256);
    for (const auto& [begin, end] : writes.ranges()) TRY_DO(erase_range(batch, begin, end));
    for (const auto& [key, value] : writes.entries()) {
      if (value) {
        batch.Put(slice(key), slice(*value));
      } else {
        batch.Delete(slice(key));
      }
    }
    batch.Put(slice(kPositionKey), encode(position));
    leave_damage_alone();
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    Settled settled(environment_.get());
    auto status = db_->Write(options, &batch);
    if (!status.ok()) {
      // A failed flush or compaction stops all writes until somebody says that they may go on.
      resume();
      return std::unexpected(to_error(status, "cannot write the index"));
    }
    std::lock_guard lock(mutex_);
    position_ = position;
    return {};
  }

  std::shared_ptr<const IndexView> view() override {
    return std::make_shared<RocksView>(db_, environment_, damage_);
  }

  Result<void> flush() override {
    auto reached = position();
    Settled settled(environment_.get());
    auto status = db_->Flush(rocksdb::FlushOptions());
    if (!status.ok()) {
      resume();
      return std::unexpected(to_error(status, "cannot flush the index"));
    }
    std::lock_guard lock(mutex_);
    flushed_ = reached;
    return {};
  }

  Result<JournalPosition> checkpoint(const std::string& directory) override;

  Result<void> check_tables() {
    auto status = db_->VerifyChecksum();
    if (!status.ok()) return std::unexpected(to_error(status, "cannot read the index"));
    return {};
  }

  std::vector<IndexFile> files() const override {
    std::vector<rocksdb::LiveFileMetaData> live;
    db_->GetLiveFilesMetaData(&live);
    std::vector<IndexFile> tables;
    for (const auto& file : live) tables.push_back({file.db_path + file.name, file.size});
    std::ranges::sort(tables, {}, &IndexFile::name);
    return tables;
  }

  Result<void> check_file(const std::string& name) override {
    auto checked = check_copied_file(name);
    if (checked) return checked;
    // A merge may have taken it away meanwhile.
    auto tables = files();
    if (std::ranges::find(tables, name, &IndexFile::name) == tables.end())
      return fail(ErrorCode::NotFound, "{} is gone", name);
    return checked;
  }
  Result<void> check_copied_file(const std::string& path) override {
    auto status = check_table_file(path, true);
    // Not every file system can be read past the kernel's memory.
    if (!status.ok()) status = check_table_file(path, false);
    if (!status.ok()) return std::unexpected(to_error(status, "cannot read " + path));
    return {};
  }

  int stall_state() const override {
    std::uint64_t value = 0;
    if (db_->GetIntProperty("rocksdb.is-write-stopped", &value) && value != 0) return 2;
    if (db_->GetIntProperty("rocksdb.actual-delayed-write-rate", &value) && value != 0) return 1;
    return 0;
  }

 private:
  /// Opens the table anew, so that nothing of it stays in the index's cache.
  rocksdb::Status check_table_file(const std::string& path, bool direct) const {
    rocksdb::BlockBasedTableOptions table;
    table.no_block_cache = true;
    rocksdb::Options options;
    options.env = db_->GetEnv();
    options.use_direct_reads = direct;
    options.info_log = std::make_shared<NoLogger>();
    options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kPrefix));
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::SstFileReader reader(options);
    auto status = reader.Open(path);
    return status.ok() ? reader.VerifyChecksum() : status;
  }

  /// A compaction that meets what a reader has met would stop all writes.
  void leave_damage_alone() {
    if (!compacts_ || !damage_ || !damage_->any()) return;
    compacts_ = false;
    (void)db_->SetOptions({{"disable_auto_compactions", "true"}});
  }

  void resume() {
    if (environment_) environment_->begin_everything();
    db_->Resume();
  }

  /// Row by row: after DeleteRange, compactions of RocksDB 7.8 lose rows that were put later
  /// (seen on the simulated disk, a few in a thousand runs). All of a group becomes one batch, so
  /// ranges are to be small: store/erase.h has what large ones need.
  Result<void> erase_range(rocksdb::WriteBatch& batch, const std::string& begin,
                           const std::string& end) {
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    options.fill_cache = false;
    auto upper = slice(end);
    options.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options));
    for (row->Seek(slice(begin)); row->Valid(); row->Next()) batch.Delete(row->key());
    if (!row->status().ok())
      return std::unexpected(damaged(row->status(), "cannot read the index", damage_));
    return {};
  }

  std::shared_ptr<RocksEnvironment> environment_;
  std::shared_ptr<rocksdb::DB> db_;
  Damage damage_;
  bool compacts_ = true;
  mutable std::mutex mutex_;
  JournalPosition position_;
  JournalPosition flushed_;
};

rocksdb::Options make_options(const RocksIndexOptions& options) {
  auto cache = rocksdb::NewLRUCache(options.memory);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16 * 1024;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = kTableFormat;
  table.checksum = rocksdb::kXXH3;  // check_table knows no other

  rocksdb::Options db;
  db.create_if_missing = true;
  db.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  db.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kPrefix));
  // Write buffers live inside the cache's budget.
  auto buffers = std::max<std::uint64_t>(options.memory / 2, 4ull << 20);
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(buffers, cache);
  db.write_buffer_size = std::clamp<std::uint64_t>(buffers / 4, 1ull << 20, 64ull << 20);
  db.max_write_buffer_number = 4;
  db.max_background_jobs = 2;
  db.disable_auto_compactions = !options.compacts;
  db.bytes_per_sync = 1 << 20;
  db.level_compaction_dynamic_level_bytes = true;
  db.compression = rocksdb::kLZ4Compression;
  db.bottommost_compression = rocksdb::kZSTD;
  db.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(10'000, 5'000));
  db.listeners.push_back(std::make_shared<BackgroundErrors>(options.log, options.damage));
  db.info_log = std::make_shared<NoLogger>();
  return db;
}

/// On simulated files, without threads of its own but the environment's.
void use(RocksEnvironment& environment, rocksdb::Options& db) {
  db.env = &environment;
  db.max_file_opening_threads = 1;
  db.avoid_flush_during_shutdown = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
}

Result<JournalPosition> RocksIndex::checkpoint(const std::string& directory) {
  TRY_DO(flush());
  rocksdb::Checkpoint* made = nullptr;
  auto status = [&] {
    Settled settled(environment_.get());
    auto begun = rocksdb::Checkpoint::Create(db_.get(), &made);
    std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    return begun.ok() ? checkpoint->CreateCheckpoint(directory) : begun;
  }();
  if (!status.ok()) return std::unexpected(to_error(status, "cannot copy the index"));
  // Groups went on meanwhile: the copy itself knows how far it has come.
  auto* files = environment_ ? &environment_->files() : nullptr;
  auto copy = open_rocks_index_for_reading({directory, 8ull << 20, {}, files});
  if (copy) return (*copy)->position();
  if (copy.error().code != ErrorCode::Corrupt) return std::unexpected(std::move(copy).error());
  // It cannot tell. It has the damage of ours, which has come at least as far by now; what the copy
  // lacks of that the journal says again.
  if (damage_) damage_->found(copy.error());
  TRY_DO(flush());
  return flushed();
}

template <class Open>
Result<std::unique_ptr<Index>> open_with(const RocksIndexOptions& options, Open open) {
  auto db_options = make_options(options);
  std::shared_ptr<RocksEnvironment> environment;
  std::shared_ptr<rocksdb::Env> own;
  if (options.files) {
    environment = std::make_shared<RocksEnvironment>(*options.files);
    use(*environment, db_options);
  } else {
    own = checked_environment();
    db_options.env = own.get();
  }
  rocksdb::DB* opened = nullptr;
  auto status = [&] {
    Settled settled(environment.get());
    return open(db_options, options.directory, &opened);
  }();
  if (!status.ok())
    return std::unexpected(to_opening_error(status, "cannot open the index " + options.directory));
  // Views may outlive the index.
  std::shared_ptr<rocksdb::DB> db(opened, [environment, own](rocksdb::DB* closed) {
    if (environment) {
      // What waits to be tried again ends without another try.
      rocksdb::CancelAllBackgroundWork(closed, false);
      environment->begin_everything();
    }
    delete closed;
  });
  auto index = std::make_unique<RocksIndex>(std::move(db), std::move(environment), options.damage);
  TRY_DO(index->load());
  return index;
}

}  // namespace

Result<std::unique_ptr<Index>> open_rocks_index_for_reading(const RocksIndexOptions& options) {
  return open_with(
      options, [](rocksdb::Options settings, const std::string& directory, rocksdb::DB** opened) {
        settings.create_if_missing = false;
        return rocksdb::DB::OpenForReadOnly(settings, directory, opened);
      });
}

Result<JournalPosition> check_rocks_index(const RocksIndexOptions& options) {
  TRY(auto index, open_rocks_index_for_reading(options));
  TRY_DO(static_cast<RocksIndex&>(*index).check_tables());
  return index->position();
}

bool is_position_key(std::string_view key) {
  return key == kPositionKey;
}

std::optional<JournalPosition> decode_position(std::string_view value) {
  Decoder in(value);
  JournalPosition position;
  position.lsn = in.varint();
  position.segment = static_cast<SegmentNumber>(in.varint());
  position.end = in.varint();
  return in.failed() ? std::nullopt : std::optional(position);
}

namespace {

/// Deeper levels have what was written before; within the first, numbers tell.
Result<std::vector<RocksTable>> listed_tables(const RocksIndexOptions& options) {
  auto list = [&](rocksdb::DB& db) {
    std::vector<rocksdb::LiveFileMetaData> live;
    db.GetLiveFilesMetaData(&live);
    std::ranges::sort(live, {}, [](auto& file) {
      return std::tuple(-file.level, file.largest_seqno, file.name);
    });
    std::vector<RocksTable> tables;
    for (auto& file : live)
      tables.push_back({file.db_path + file.name, file.smallestkey, file.largestkey});
    return tables;
  };
  auto db_options = make_options(options);
  db_options.create_if_missing = false;
  db_options.paranoid_checks = false;  // tables that cannot be opened are listed, too
  std::optional<RocksEnvironment> environment;
  std::shared_ptr<rocksdb::Env> own;
  if (options.files) {
    use(environment.emplace(*options.files), db_options);
  } else {
    own = checked_environment();
    db_options.env = own.get();
  }
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::OpenForReadOnly(db_options, options.directory, &opened);
  if (!status.ok()) return std::unexpected(to_opening_error(status, "cannot open the index"));
  std::unique_ptr<rocksdb::DB> db(opened);
  return list(*db);
}

Result<std::vector<RocksTable>> tables_there(const std::string& directory, FileSystem& files) {
  TRY(auto names, files.list(directory));
  std::vector<RocksTable> tables;
  for (const auto& name : names)
    if (is_table(name))
      tables.push_back({directory + "/" + name, std::string(kPositionKey), std::string(8, '\xFF')});
  return tables;
}

}  // namespace

Result<RocksTables> list_rocks_tables(const RocksIndexOptions& options, FileSystem& files) {
  auto listed = listed_tables(options);
  if (listed) return RocksTables{std::move(*listed), true};
  if (listed.error().code == ErrorCode::NoSpace) return std::unexpected(listed.error());
  TRY(auto there, tables_there(options.directory, files));
  return RocksTables{std::move(there), false};
}

Result<void> copy_rocks_index(FileSystem& files, const std::string& from, const std::string& to) {
  // What was cut off while it was made has nothing that is not in `from`.
  TRY_DO(remove_files(files, to));
  TRY_DO(files.make_directory(to));
  auto copy = [&](const std::string& name) -> Result<void> {
    auto source = from + "/" + name, target = to + "/" + name;
    if (name.ends_with(".sst")) {
      auto linked = files.link(source, target);
      if (linked || linked.error().code != ErrorCode::Unsupported) return linked;
    }
    return copy_file(files, source, target);
  };
  TRY(auto names, files.list(from));
  for (const auto& name : names)
    if (name != kCurrent && name != "LOCK" && !name.starts_with("LOG")) TRY_DO(copy(name));
  TRY_DO(files.sync_directory(to));
  TRY_DO(copy(kCurrent));
  return files.sync_directory(to);
}

Result<std::unique_ptr<Index>> open_rocks_index(const RocksIndexOptions& options) {
  // RocksDB would open it to everybody. What else is wrong with the place, it says itself.
  if (!options.files) (void)::mkdir(options.directory.c_str(), 0700);
  return open_with(
      options, [](const rocksdb::Options& settings, const std::string& directory,
                  rocksdb::DB** opened) { return rocksdb::DB::Open(settings, directory, opened); });
}

Result<void> remove_rocks_index(const std::string& directory, FileSystem* files) {
  rocksdb::Options options;
  std::optional<RocksEnvironment> environment;
  if (files) use(environment.emplace(*files), options);
  auto status = rocksdb::DestroyDB(directory, options);
  if (!status.ok()) return std::unexpected(to_error(status, "cannot remove " + directory));
  return {};
}

}  // namespace hikyaku::store
