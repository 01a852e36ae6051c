// A group of transactions on its way into the journal, and the transaction that one step sees.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "store/layered_reader.h"
#include "store/overlay.h"
#include "store/staging.h"

namespace hikyaku::store {

/// A body that a transaction owns for the first time.
struct NewBody {
  BlobId id;
  std::shared_ptr<StagedBody> state;
};

/// Bytes that became owned, or lost their last owner. Segment 0: of the body's own group.
struct UseChange {
  SegmentNumber segment = 0;
  std::int64_t live = 0;
  std::int64_t retained = 0;
  BlobId blob = 0;  ///< a body that came into the segment; 0: it was there before
  bool operator==(const UseChange&) const = default;
};

/// What a step, or all steps of a group together, did.
struct Writes {
  Overlay rows;
  std::vector<NewBody> bodies;
  std::vector<UseChange> uses;
  std::set<std::pair<AccountId, std::uint32_t>> notifications;
  BlobId next_blob = 1;

  bool empty() const { return rows.empty() && bodies.empty(); }
  /// The body of this id among `bodies`, whose ids are consecutive.
  const NewBody* find(BlobId id) const;
  const NewBody* find(const StagedBody* state) const;
  /// At least the bytes of the small bodies with their headers, and of the rows that the store
  /// itself will add.
  std::uint64_t body_bytes() const;
  /// Adds what a step did on top of it.
  void merge(Writes step);
};

/// The transaction of one run of one step.
class StepTransaction final : public Transaction {
 public:
  struct Context {
    const Writes& group;
    const IndexView& view;
    Reach reach;
    std::uint32_t epoch;
    Time now;  ///< the same for every run, so that runs can be compared
  };
  explicit StepTransaction(const Context& context);

  std::optional<std::string> get(std::string_view key) override;
  using Reader::scan;
  void scan(const KeyRange& range, Direction direction, const LayeredReader::Visit& visit) override;
  std::optional<std::uint64_t> blob_size(BlobId blob) override;
  std::uint32_t epoch() const override { return context_.epoch; }
  void put(std::string_view key, std::string_view value) override;
  void erase(std::string_view key) override;
  void erase_range(const KeyRange& range) override;
  bool has_put(std::string_view key) const override;
  BlobId own(const StagedBlob& blob, std::string_view owner) override;
  void own(BlobId blob, std::string_view owner) override;
  void disown(BlobId blob, std::string_view owner) override;
  void notify(AccountId account, std::uint32_t topic) override;

  /// For reclaiming. Forgets a body that has had no owner since `freed`; false if there is none
  /// such: it has an owner again, or is gone.
  bool forget(BlobId blob, Time freed);
  /// For reclaiming. A body that has had no owner since `freed` has none since `now`; nothing
  /// changes if it has an owner again, or is gone.
  void free_again(BlobId blob, Time freed, Time now);
  /// For reclaiming. The body, if it still stands at `from`, is at `to` from now on.
  void relocate(BlobId blob, const BodyPlace& from, const BodyPlace& to);

  bool went_cold() const { return layers_.went_cold(); }
  Writes& writes() { return writes_; }

 private:
  struct Known {
    std::uint64_t size;
    std::uint64_t stored;
    SegmentNumber segment;
  };
  std::optional<Known> find_body(BlobId blob);
  const NewBody* find_new(BlobId blob) const;

  const Context context_;
  Writes writes_;
  LayeredReader layers_;
};

/// The longest key, and the most bytes that one transaction may write.
inline constexpr std::size_t kMaxKey = 4096;
inline constexpr std::uint64_t kMaxTransaction = 64 << 20;

}  // namespace hikyaku::store
