// A whole store in memory, for tests of sessions and services: everything happens at once, on the
// calling loop, so that a test's clock may jump and nothing depends on the speed of a disk.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "store/memory_transaction.h"
#include "store/store.h"

namespace hikyaku::store {

/// Keys, bodies and notifications as Store promises them; nothing is durable. One thread. Snapshots
/// are the newest state.
class MemoryStore final : public Store {
 public:
  MemoryStore();
  ~MemoryStore() override;

  /// The keys, for looking at them and for setting up a test.
  MemoryTransaction& keys() { return keys_; }
  /// From now on bodies and transactions get this error (those that may use the reserve do not,
  /// when it is NoSpace); none: all is well again.
  void fail_with(std::optional<ErrorCode> code) { failure_ = code; }
  /// What was read: a test sees by it that work is bounded. Set it anew as you like.
  struct Reads {
    std::size_t count = 0;
    std::size_t rows = 0;       ///< in all, those that were not there included
    std::size_t most_rows = 0;  ///< of one read
  };
  Reads reads;
  /// Called before every transaction's step: a test puts something in between.
  std::function<void()> before_step;

  Task<Result<void>> transact(std::vector<AccountId> accounts, Step step,
                              TransactOptions options = {}) override;
  std::shared_ptr<const Snapshot> snapshot() override { return nullptr; }
  std::unique_ptr<BlobWriter> stage(std::string salvage = {}) override;
  Task<Result<std::unique_ptr<Blob>>> open_blob(BlobId blob) override;
  Task<OpenedBlobs> open_blobs(std::vector<BlobId> blobs) override;
  Task<Result<std::unique_ptr<Blob>>> open_staged(StagedBlob blob) override;
  std::unique_ptr<Subscription> subscribe(AccountId account, std::uint32_t topic,
                                          std::function<void()> changed) override;
  std::uint32_t epoch() const override { return keys_.epoch(); }
  Task<Result<Reclaimed>> reclaim(ReclaimRules) override { co_return Reclaimed{}; }
  Task<Result<Scrubbed>> scrub(ScrubRules) override { co_return Scrubbed{}; }
  Task<Result<SpaceUse>> space_use() override { co_return SpaceUse{}; }
  Task<Result<std::shared_ptr<const Frozen>>> freeze() override {
    co_return fail(ErrorCode::Unsupported, "a store in memory has no files");
  }
  Statistics statistics() const override { return {}; }
  std::chrono::nanoseconds write_under_way() const override { return {}; }
  void close() override {}

 protected:
  Task<void> run_read(std::shared_ptr<const Snapshot> snapshot,
                      std::function<void(Reader&)>& function) override;

 private:
  class Writer;
  class Body;
  class Listening;
  std::optional<Error> failure(bool may_use_reserve) const;

  MemoryTransaction keys_;
  std::optional<ErrorCode> failure_;
  /// Alive while anybody may still call into the store's subscriptions.
  struct Subscribers;
  std::shared_ptr<Subscribers> subscribers_;
};

}  // namespace hikyaku::store
