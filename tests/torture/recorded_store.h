// A store that remembers what every transaction wrote, so that a model can say what must be there
// after a crash.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "store/key.h"
#include "store/store.h"

namespace hikyaku::torture {

/// n -> the number of the transaction that ran as the nth: written by every transaction with its
/// other rows.
inline constexpr store::Table kHistory = 0xF1;

/// One call of a step.
struct Write {
  enum class Kind { Put, Erase, EraseRange, Own, Disown };
  Kind kind;
  std::string key;    ///< or the owner
  std::string value;  ///< or the end of the range
  store::BlobId blob = 0;
  std::shared_ptr<const std::string> bytes;  ///< Own of a staged body
};

struct Recorded {
  std::vector<Write> writes;
  bool acknowledged = false;  ///< as durable
};

/// What must be there: the transactions of the history applied one after another.
class Model {
 public:
  struct Body {
    std::shared_ptr<const std::string> bytes;
    std::set<std::string> owners;
    bool given_twice = false;  ///< its id, to another body
  };
  void apply(const Recorded& transaction);
  const std::map<std::string, std::string, std::less<>>& rows() const { return rows_; }
  const std::map<store::BlobId, Body>& bodies() const { return bodies_; }

 private:
  std::map<std::string, std::string, std::less<>> rows_;
  std::map<store::BlobId, Body> bodies_;
};

/// Recordings of every transaction by number; outlives the stores of many crashes.
class Recorder {
 public:
  std::shared_ptr<Recorded> begin(std::uint64_t& number);
  const std::map<std::uint64_t, std::shared_ptr<Recorded>>& all() const { return all_; }

  void staged(const store::StagedBlob& blob, std::string bytes);
  std::shared_ptr<const std::string> bytes_of(const store::StagedBlob& blob) const;

 private:
  std::map<std::uint64_t, std::shared_ptr<Recorded>> all_;
  std::map<const void*, std::shared_ptr<const std::string>> staged_;
  std::uint64_t next_ = 1;
};

class RecordedStore final : public store::Store {
 public:
  /// `recorder` must outlive it.
  RecordedStore(std::unique_ptr<store::Store> inner, Recorder& recorder)
      : inner_(std::move(inner)), recorder_(recorder) {}

  Task<Result<void>> transact(std::vector<store::AccountId> accounts, store::Step step,
                              store::TransactOptions options) override;
  std::shared_ptr<const store::Snapshot> snapshot() override { return inner_->snapshot(); }
  std::unique_ptr<store::BlobWriter> stage(std::string salvage) override;
  Task<Result<std::unique_ptr<store::Blob>>> open_blob(store::BlobId blob) override {
    return inner_->open_blob(blob);
  }
  Task<store::OpenedBlobs> open_blobs(std::vector<store::BlobId> blobs) override {
    return inner_->open_blobs(std::move(blobs));
  }
  Task<Result<std::unique_ptr<store::Blob>>> open_staged(store::StagedBlob blob) override {
    return inner_->open_staged(std::move(blob));
  }
  std::unique_ptr<store::Subscription> subscribe(store::AccountId account, std::uint32_t topic,
                                                 std::function<void()> changed) override {
    return inner_->subscribe(account, topic, std::move(changed));
  }
  std::uint32_t epoch() const override { return inner_->epoch(); }
  Task<Result<store::Reclaimed>> reclaim(store::ReclaimRules rules) override {
    return inner_->reclaim(rules);
  }
  Task<Result<store::Scrubbed>> scrub(store::ScrubRules rules) override {
    return inner_->scrub(rules);
  }
  Task<Result<store::SpaceUse>> space_use() override { return inner_->space_use(); }
  Task<Result<std::shared_ptr<const store::Frozen>>> freeze() override { return inner_->freeze(); }
  store::Statistics statistics() const override { return inner_->statistics(); }
  bool is_behind() const override { return inner_->is_behind(); }
  std::chrono::nanoseconds write_under_way() const override { return inner_->write_under_way(); }
  void close() override { inner_->close(); }

 protected:
  Task<void> run_read(std::shared_ptr<const store::Snapshot> snapshot,
                      std::function<void(store::Reader&)>& function) override;

 private:
  std::unique_ptr<store::Store> inner_;
  Recorder& recorder_;
};

}  // namespace hikyaku::torture
