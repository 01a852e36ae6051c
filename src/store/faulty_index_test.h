// An index in memory that can be damaged, and that counts what is asked of it. For tests.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/index.h"
#include "store/key.h"
#include "store/memory_index.h"
#include "store/overlay.h"
#include "store/rows.h"

namespace hikyaku::store {

/// What is wrong with an index, and what was asked of it.
struct IndexFaults {
  std::atomic<Table> damaged{0};  ///< rows of this table of the instance cannot be read; 0: none
  std::atomic<int> places{0};     ///< rows of bodies' places that were walked over
  std::atomic<int> applied{0};    ///< groups
  std::atomic<bool> removing{false};  ///< a group has said that segments go
  /// Copies the index to a directory.
  std::function<Result<void>(const std::string&)> copy;
};

/// Counts its steps.
class CountingCursor final : public IndexCursor {
 public:
  CountingCursor(std::unique_ptr<IndexCursor> cursor, std::atomic<int>& steps)
      : cursor_(std::move(cursor)), steps_(steps) {}
  void seek(std::string_view key) override { cursor_->seek(key); }
  void seek_before(std::string_view key) override { cursor_->seek_before(key); }
  bool valid() const override { return cursor_->valid(); }
  void next() override {
    ++steps_;
    cursor_->next();
  }
  void previous() override { cursor_->previous(); }
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() const override { return cursor_->value(); }

 private:
  std::unique_ptr<IndexCursor> cursor_;
  std::atomic<int>& steps_;
};

class FaultyView final : public IndexView {
 public:
  FaultyView(std::shared_ptr<const IndexView> view, std::shared_ptr<IndexFaults> faults)
      : view_(std::move(view)), faults_(std::move(faults)) {}
  std::optional<std::string> get(std::string_view key, Reach reach) const override {
    check(key);
    return view_->get(key, reach);
  }
  std::unique_ptr<IndexCursor> cursor(const KeyRange& range, Reach reach) const override {
    check(range.begin);
    auto cursor = view_->cursor(range, reach);
    if (!range.begin.starts_with(Key(kInstance, kPlaceTable).bytes())) return cursor;
    return std::make_unique<CountingCursor>(std::move(cursor), faults_->places);
  }

 private:
  void check(std::string_view key) const {
    Table table = faults_->damaged;
    if (table != 0 && key.starts_with(Key(kInstance, table).bytes()))
      throw IndexError("a block is damaged");
  }

  std::shared_ptr<const IndexView> view_;
  std::shared_ptr<IndexFaults> faults_;
};

class FaultyIndex final : public Index {
 public:
  FaultyIndex(std::shared_ptr<MemoryIndexDisk> disk, std::shared_ptr<IndexFaults> faults)
      : index_(std::move(disk)), faults_(std::move(faults)) {}
  JournalPosition position() const override { return index_.position(); }
  Result<void> apply(const Overlay& writes, JournalPosition position) override {
    for (const auto& [key, value] : writes.entries())
      if (key.starts_with(Key(kInstance, kReclaimedTable).bytes())) faults_->removing = true;
    ++faults_->applied;
    return index_.apply(writes, position);
  }
  Result<JournalPosition> checkpoint(const std::string& directory) override {
    TRY_DO(faults_->copy(directory));
    return position();
  }
  std::shared_ptr<const IndexView> view() override {
    return std::make_shared<FaultyView>(index_.view(), faults_);
  }
  Result<void> flush() override { return index_.flush(); }
  JournalPosition flushed() const override { return index_.flushed(); }

 private:
  MemoryIndex index_;
  std::shared_ptr<IndexFaults> faults_;
};

}  // namespace hikyaku::store
