#include "recorded_store.h"

namespace hikyaku::torture {
namespace {

using store::BlobId;
using store::Key;
using store::KeyRange;
using store::kInstance;

/// Writes down what a step does while it does it.
class RecordingTransaction final : public store::Transaction {
 public:
  RecordingTransaction(store::Transaction& tx, Recorder& recorder, std::vector<Write>& writes)
      : tx_(tx), recorder_(recorder), writes_(writes) {}

  std::optional<std::string> get(std::string_view key) override { return tx_.get(key); }
  void scan(const KeyRange& range, Direction direction,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    tx_.scan(range, direction, visit);
  }
  std::optional<std::uint64_t> blob_size(BlobId blob) override { return tx_.blob_size(blob); }
  std::uint32_t epoch() const override { return tx_.epoch(); }
  bool has_put(std::string_view key) const override { return tx_.has_put(key); }
  void notify(store::AccountId account, std::uint32_t topic) override {
    tx_.notify(account, topic);
  }

  void put(std::string_view key, std::string_view value) override {
    tx_.put(key, value);
    write(Write::Kind::Put, key, value);
  }
  void erase(std::string_view key) override {
    tx_.erase(key);
    write(Write::Kind::Erase, key);
  }
  void erase_range(const KeyRange& range) override {
    tx_.erase_range(range);
    write(Write::Kind::EraseRange, range.begin, range.end);
  }
  BlobId own(const store::StagedBlob& blob, std::string_view owner) override {
    auto id = tx_.own(blob, owner);
    auto& written = write(Write::Kind::Own, owner);
    written.blob = id;
    written.bytes = recorder_.bytes_of(blob);
    return id;
  }
  void own(BlobId blob, std::string_view owner) override {
    tx_.own(blob, owner);
    write(Write::Kind::Own, owner).blob = blob;
  }
  void disown(BlobId blob, std::string_view owner) override {
    tx_.disown(blob, owner);
    write(Write::Kind::Disown, owner).blob = blob;
  }

 private:
  Write& write(Write::Kind kind, std::string_view key, std::string_view value = {}) {
    writes_.push_back({kind, std::string(key), std::string(value), 0, nullptr});
    return writes_.back();
  }

  store::Transaction& tx_;
  Recorder& recorder_;
  std::vector<Write>& writes_;
};

class RecordingWriter final : public store::BlobWriter {
 public:
  RecordingWriter(std::unique_ptr<store::BlobWriter> inner, Recorder& recorder)
      : inner_(std::move(inner)), recorder_(recorder) {}
  Task<Result<void>> append(std::string_view bytes) override {
    bytes_ += bytes;
    co_return co_await inner_->append(bytes);
  }
  std::uint64_t size() const override { return inner_->size(); }
  Task<Result<store::StagedBlob>> finish() override {
    auto staged = co_await inner_->finish();
    if (staged) recorder_.staged(*staged, std::move(bytes_));
    co_return staged;
  }

 private:
  std::unique_ptr<store::BlobWriter> inner_;
  Recorder& recorder_;
  std::string bytes_;
};

void note_in_history(store::Transaction& tx, std::uint64_t number) {
  std::uint64_t last = 0;
  tx.scan(Key(kInstance, kHistory).children(), store::Reader::Direction::Backward,
          [&](std::string_view key, std::string_view) {
            last = store::key_fields(key).u64_be();
            return false;
          });
  tx.put(Key(kInstance, kHistory).u64(last + 1), std::to_string(number));
}

}  // namespace

void Model::apply(const Recorded& transaction) {
  for (const auto& write : transaction.writes) {
    switch (write.kind) {
      case Write::Kind::Put:
        rows_[write.key] = write.value;
        break;
      case Write::Kind::Erase:
        rows_.erase(write.key);
        break;
      case Write::Kind::EraseRange:
        rows_.erase(rows_.lower_bound(write.key), rows_.lower_bound(write.value));
        break;
      case Write::Kind::Own: {
        auto& body = bodies_[write.blob];
        body.owners.insert(write.key);
        if (!write.bytes) break;
        body.given_twice = body.bytes && *body.bytes != *write.bytes;
        body.bytes = write.bytes;
        break;
      }
      case Write::Kind::Disown:
        bodies_[write.blob].owners.erase(write.key);
    }
  }
}

std::shared_ptr<Recorded> Recorder::begin(std::uint64_t& number) {
  number = next_++;
  return all_[number] = std::make_shared<Recorded>();
}

void Recorder::staged(const store::StagedBlob& blob, std::string bytes) {
  staged_[blob.state().get()] = std::make_shared<const std::string>(std::move(bytes));
}

std::shared_ptr<const std::string> Recorder::bytes_of(const store::StagedBlob& blob) const {
  auto found = staged_.find(blob.state().get());
  return found == staged_.end() ? nullptr : found->second;
}

Task<Result<void>> RecordedStore::transact(std::vector<store::AccountId> accounts, store::Step step,
                                           store::TransactOptions options) {
  std::uint64_t number = 0;
  auto recorded = recorder_.begin(number);
  auto done = co_await inner_->transact(
      std::move(accounts),
      [&, number](store::Transaction& tx) -> Result<void> {
        recorded->writes.clear();  // it may run more than once
        RecordingTransaction recording(tx, recorder_, recorded->writes);
        TRY_DO(step(recording));
        if (!recorded->writes.empty()) note_in_history(tx, number);
        return {};
      },
      options);
  recorded->acknowledged =
      done && options.durability == store::Durability::Sync && !recorded->writes.empty();
  co_return done;
}

std::unique_ptr<store::BlobWriter> RecordedStore::stage(std::string salvage) {
  return std::make_unique<RecordingWriter>(inner_->stage(std::move(salvage)), recorder_);
}

Task<void> RecordedStore::run_read(std::shared_ptr<const store::Snapshot> snapshot,
                                   std::function<void(store::Reader&)>& function) {
  (void)co_await inner_->read_at(std::move(snapshot), [&](store::Reader& reader) {
    function(reader);
    return true;
  });
}

}  // namespace hikyaku::torture
