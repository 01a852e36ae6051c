#include "store/memory_transaction.h"

#include <cassert>

#include "store/staged.h"

namespace hikyaku::store {

namespace {

/// A staged body that has no bytes; its id is known once a transaction owns it.
struct MemoryBody : StagedBlob::State {
  std::map<const void*, BlobId> ids;  ///< by key space
  std::shared_ptr<const std::string> bytes;
};

}  // namespace

void MemoryTransaction::begin() {
  before_.clear();
  bodies_before_.clear();
  put_.clear();
  notified_.clear();
  writes_ = 0;
}

void MemoryTransaction::rollback() {
  for (auto& [key, value] : before_) {
    if (value)
      keys_[key] = *value;
    else
      keys_.erase(key);
  }
  for (auto& [blob, body] : bodies_before_) {
    if (body)
      bodies_[blob] = *body;
    else
      bodies_.erase(blob);
  }
  begin();
}

StagedBlob MemoryTransaction::stage(std::uint64_t size) {
  auto state = std::make_shared<MemoryBody>();
  state->size = size;
  state->sha256.assign(32, '\0');
  return StagedBlob(std::move(state));
}

StagedBlob MemoryTransaction::stage(std::string bytes) {
  auto blob = stage(std::uint64_t{bytes.size()});
  static_cast<MemoryBody&>(*blob.state()).bytes =
      std::make_shared<const std::string>(std::move(bytes));
  return blob;
}

std::shared_ptr<const std::string> MemoryTransaction::bytes_of(const StagedBlob& blob) {
  return dynamic_cast<MemoryBody&>(*blob.state()).bytes;
}

std::optional<std::string> MemoryTransaction::get(std::string_view key) {
  if (before_get) before_get(key);
  auto found = keys_.find(key);
  if (found == keys_.end()) return std::nullopt;
  return found->second;
}

void MemoryTransaction::scan(const KeyRange& range, Direction direction,
                             const std::function<bool(std::string_view, std::string_view)>& visit) {
  if (range.begin >= range.end) return;
  if (before_get) before_get(range.begin);
  auto visit_row = [&](const Keys::value_type& row) {
    if (before_get) before_get(row.first);
    return visit(row.first, row.second);
  };
  auto first = keys_.lower_bound(range.begin);
  auto last = keys_.lower_bound(range.end);
  if (direction == Direction::Forward) {
    for (; first != last; ++first)
      if (!visit_row(*first)) return;
  } else {
    while (last != first) {
      --last;
      if (!visit_row(*last)) return;
    }
  }
}

std::optional<std::uint64_t> MemoryTransaction::blob_size(BlobId blob) {
  auto found = bodies_.find(blob);
  if (found == bodies_.end()) return std::nullopt;
  return found->second.size;
}

void MemoryTransaction::remember(std::string_view key) {
  ++writes_;
  if (before_.find(key) != before_.end()) return;
  auto found = keys_.find(key);
  before_.emplace(key, found == keys_.end() ? std::nullopt : std::optional(found->second));
}

void MemoryTransaction::put(std::string_view key, std::string_view value) {
  remember(key);
  keys_.insert_or_assign(std::string(key), std::string(value));
  put_.emplace(key);
}

void MemoryTransaction::erase(std::string_view key) {
  remember(key);
  if (auto found = keys_.find(key); found != keys_.end()) keys_.erase(found);
  if (auto found = put_.find(key); found != put_.end()) put_.erase(found);
}

void MemoryTransaction::erase_range(const KeyRange& range) {
  auto writes = writes_;
  std::vector<std::string> inside;
  scan(range, Direction::Forward, [&](std::string_view key, std::string_view) {
    inside.emplace_back(key);
    return true;
  });
  for (const auto& key : inside) erase(key);
  writes_ = writes + 1;
}

bool MemoryTransaction::has_put(std::string_view key) const {
  return put_.find(key) != put_.end();
}

BlobId MemoryTransaction::own(const StagedBlob& blob, std::string_view owner) {
  auto* state = dynamic_cast<MemoryBody*>(blob.state().get());
  assert(state && "not staged by MemoryTransaction::stage");
  auto& id = state->ids[this];
  if (id == 0) id = next_blob_++;
  if (!bodies_.contains(id)) {
    bodies_before_.try_emplace(id, std::nullopt);
    bodies_[id].size = state->size;
    bodies_[id].bytes = state->bytes;
  }
  own(id, owner);
  return id;
}

void MemoryTransaction::own(BlobId blob, std::string_view owner) {
  auto& body = bodies_.at(blob);
  bodies_before_.try_emplace(blob, body);
  body.owners.emplace(owner);
}

void MemoryTransaction::disown(BlobId blob, std::string_view owner) {
  auto& body = bodies_.at(blob);
  bodies_before_.try_emplace(blob, body);
  body.owners.erase(std::string(owner));
}

void MemoryTransaction::notify(AccountId account, std::uint32_t topic) {
  notified_.emplace(account, topic);
}

}  // namespace hikyaku::store
