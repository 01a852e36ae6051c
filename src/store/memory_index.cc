#include "store/memory_index.h"

#include <atomic>
#include <shared_mutex>
#include <vector>

namespace hikyaku::store {

/// Every version of every key, newest last, with the sequence number that wrote it.
struct MemoryIndex::State {
  struct Version {
    std::uint64_t sequence;
    std::optional<std::string> value;
  };
  std::map<std::string, std::vector<Version>, std::less<>> rows;
  std::uint64_t sequence = 0;
  JournalPosition position;
  mutable std::shared_mutex mutex;
  std::atomic<int> cold{0};

  void write(const std::string& key, std::optional<std::string> value) {
    rows[key].push_back({sequence, std::move(value)});
  }
  const std::string* at(const std::vector<Version>& versions, std::uint64_t when) const {
    for (auto version = versions.rbegin(); version != versions.rend(); ++version)
      if (version->sequence <= when) return version->value ? &*version->value : nullptr;
    return nullptr;
  }
  void check_warm(Reach reach) {
    if (cold.load() <= 0) return;
    if (reach == Reach::Memory) throw ColdRead{};
    --cold;
  }
};

class MemoryIndex::Cursor final : public IndexCursor {
 public:
  Cursor(std::shared_ptr<State> state, KeyRange range, std::uint64_t when)
      : state_(std::move(state)), range_(std::move(range)), when_(when) {}

  void seek(std::string_view key) override {
    std::shared_lock lock(state_->mutex);
    forward(state_->rows.lower_bound(std::max<std::string_view>(key, range_.begin)));
  }
  void seek_before(std::string_view key) override {
    std::shared_lock lock(state_->mutex);
    backward(state_->rows.lower_bound(std::min<std::string_view>(key, range_.end)));
  }
  bool valid() const override { return valid_; }
  void next() override {
    std::shared_lock lock(state_->mutex);
    forward(state_->rows.upper_bound(key_));
  }
  void previous() override {
    std::shared_lock lock(state_->mutex);
    backward(state_->rows.lower_bound(key_));
  }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }

 private:
  using Place = decltype(State::rows)::iterator;
  bool take(Place place) {
    auto* value = state_->at(place->second, when_);
    if (!value) return false;
    key_ = place->first;
    value_ = *value;
    return valid_ = true;
  }
  void forward(Place place) {
    valid_ = false;
    for (; place != state_->rows.end() && place->first < range_.end; ++place)
      if (take(place)) return;
  }
  void backward(Place place) {
    valid_ = false;
    while (place != state_->rows.begin() && (--place)->first >= range_.begin)
      if (take(place)) return;
  }

  std::shared_ptr<State> state_;
  KeyRange range_;
  std::uint64_t when_;
  bool valid_ = false;
  std::string key_;
  std::string value_;
};

class MemoryIndex::View final : public IndexView {
 public:
  View(std::shared_ptr<State> state, std::uint64_t when) : state_(std::move(state)), when_(when) {}

  std::optional<std::string> get(std::string_view key, Reach reach) const override {
    state_->check_warm(reach);
    std::shared_lock lock(state_->mutex);
    auto row = state_->rows.find(key);
    if (row == state_->rows.end()) return std::nullopt;
    auto* value = state_->at(row->second, when_);
    return value ? std::optional(*value) : std::nullopt;
  }
  std::unique_ptr<IndexCursor> cursor(const KeyRange& range, Reach reach) const override {
    state_->check_warm(reach);
    return std::make_unique<Cursor>(state_, range, when_);
  }

 private:
  std::shared_ptr<State> state_;
  std::uint64_t when_;
};

MemoryIndex::MemoryIndex(std::shared_ptr<MemoryIndexDisk> disk)
    : state_(std::make_shared<State>()), disk_(std::move(disk)) {
  for (const auto& [key, value] : disk_->rows) state_->write(key, value);
  state_->position = disk_->position;
}

MemoryIndex::~MemoryIndex() = default;

JournalPosition MemoryIndex::position() const {
  std::shared_lock lock(state_->mutex);
  return state_->position;
}

Result<void> MemoryIndex::apply(const Overlay& writes, JournalPosition position) {
  std::unique_lock lock(state_->mutex);
  ++state_->sequence;
  for (const auto& [begin, end] : writes.ranges())
    for (auto row = state_->rows.lower_bound(begin); row != state_->rows.end() && row->first < end;
         ++row)
      row->second.push_back({state_->sequence, std::nullopt});
  for (const auto& [key, value] : writes.entries()) state_->write(key, value);
  state_->position = position;
  return {};
}

std::shared_ptr<const IndexView> MemoryIndex::view() {
  std::shared_lock lock(state_->mutex);
  return std::make_shared<View>(state_, state_->sequence);
}

Result<void> MemoryIndex::flush() {
  std::unique_lock lock(state_->mutex);  // the disk is written by one at a time
  if (!disk_->writable()) return fail(ErrorCode::Io, "the index's disk is gone");
  disk_->rows.clear();
  for (const auto& [key, versions] : state_->rows)
    if (auto* value = state_->at(versions, state_->sequence)) disk_->rows.emplace(key, *value);
  disk_->position = state_->position;
  return {};
}

JournalPosition MemoryIndex::flushed() const {
  std::shared_lock lock(state_->mutex);
  return disk_->position;
}

void MemoryIndex::make_cold(int count) {
  state_->cold = count;
}

}  // namespace hikyaku::store
