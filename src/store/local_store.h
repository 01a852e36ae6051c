// The Store on the local disk: puts journal, index, committer and the rest together.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "store/blob.h"
#include "store/committer.h"
#include "store/counted_workers.h"
#include "store/damage.h"
#include "store/open.h"
#include "store/reclaim.h"
#include "store/recovery.h"
#include "store/scrub.h"
#include "store/staging.h"

namespace hikyaku::store {

class LocalStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(Options options);
  ~LocalStore() override;

  Task<Result<void>> transact(std::vector<AccountId> accounts, Step step,
                              TransactOptions options) override;
  std::shared_ptr<const Snapshot> snapshot() override;
  std::unique_ptr<BlobWriter> stage(std::string salvage) override;
  Task<Result<std::unique_ptr<Blob>>> open_blob(BlobId blob) override;
  Task<OpenedBlobs> open_blobs(std::vector<BlobId> blobs) override;
  Task<Result<std::unique_ptr<Blob>>> open_staged(StagedBlob blob) override;
  std::unique_ptr<Subscription> subscribe(AccountId account, std::uint32_t topic,
                                          std::function<void()> changed) override;
  std::uint32_t epoch() const override { return segments_->epoch(); }
  Task<Result<Reclaimed>> reclaim(ReclaimRules rules) override;
  Task<Result<SpaceUse>> space_use() override;
  Task<Result<Scrubbed>> scrub(ScrubRules rules) override;
  Task<Result<std::shared_ptr<const Frozen>>> freeze() override;
  Statistics statistics() const override;
  bool is_behind() const override { return !read_only_.empty() && !options_.for_reading; }
  std::chrono::nanoseconds write_under_way() const override { return writes_.oldest(); }
  void close() override;

 protected:
  Task<void> run_read(std::shared_ptr<const Snapshot> snapshot,
                      std::function<void(Reader&)>& function) override;

 private:
  explicit LocalStore(Options options);
  Result<void> try_start();
  bool has_no_inodes() const;
  Error full_disk(const Error& error) const;
  Result<void> start();
  Result<void> take_lock();
  Result<void> recover();
  Result<LogWriter> begin_log(const LogChain& chain, const ReplayResult& replayed, bool clean);
  Result<void> start_for_reading();
  Result<JournalPosition> keep_index(bool anew = false);
  void keep_first_copy();
  std::shared_ptr<const IndexView> newest() const;
  bool closed() const;
  Result<void> name_segments(const std::string& id);
  void look_for_lost_segments();
  BodySource bodies() { return {*segments_, workers_, unreadable_}; }

  Options options_;
  FileSystem& files_;
  std::unique_ptr<FileLock> lock_;
  std::string read_only_;
  bool whole_journal_ = true;  ///< every group since the first is there
  std::uint64_t replayed_groups_ = 0;
  mutable std::mutex lost_mutex_;
  std::vector<LostSegment> lost_segments_;  ///< as they were found at the start, or by a backup
  std::shared_ptr<UnreadableBodies> unreadable_;
  DamagedRecords damaged_records_;
  std::shared_ptr<IndexDamage> index_damage_;
  std::shared_ptr<Subscriptions> subscriptions_ = std::make_shared<Subscriptions>();
  CountedWorkers workers_;
  WritesUnderWay writes_;
  Ballast ballast_;
  FreeSpace space_;
  std::shared_ptr<StagedMemory> memory_;
  std::unique_ptr<Segments> segments_;
  std::unique_ptr<BulkStore> bulk_;
  std::unique_ptr<StagingContext> staging_;
  std::unique_ptr<Index> index_;
  std::shared_ptr<const IndexView> fixed_view_;  ///< when there is no committer
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Reclaimer> reclaimer_;
  std::unique_ptr<Scrubber> scrubber_;
  std::atomic<unsigned> frozen_count_{0};
  std::mutex keeping_;  ///< of who makes a copy of the index
  mutable std::mutex reclaimed_mutex_;
  Reclaimed reclaimed_;  ///< in total
};

}  // namespace hikyaku::store
