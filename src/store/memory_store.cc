#include "store/memory_store.h"

#include <algorithm>
#include <exception>
#include <list>

#include "base/executor.h"
#include "store/counting_reader.h"
#include "store/index_error.h"

namespace hikyaku::store {
namespace {
constexpr std::uint64_t kMostAtOnce = 1 << 20;
}

struct MemoryStore::Subscribers {
  struct One {
    AccountId account = 0;
    std::uint32_t topic = 0;
    std::function<void()> changed;
    Executor* loop = nullptr;
  };
  std::list<std::shared_ptr<One>> all;
};

class MemoryStore::Listening final : public Subscription {
 public:
  Listening(std::shared_ptr<Subscribers> all, std::shared_ptr<Subscribers::One> one)
      : all_(std::move(all)), one_(std::move(one)) {}
  ~Listening() override {
    one_->changed = {};
    all_->all.remove(one_);
  }

 private:
  std::shared_ptr<Subscribers> all_;
  std::shared_ptr<Subscribers::One> one_;
};

class MemoryStore::Body final : public Blob {
 public:
  explicit Body(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_->size(); }
  const std::string& sha256() const override { return sha256_; }
  Task<Result<std::string>> read(std::uint64_t offset, std::uint64_t length) override {
    if (offset >= bytes_->size()) co_return std::string();
    co_return bytes_->substr(offset, std::min(length, kMostAtOnce));
  }
  Task<Result<void>> check(std::uint64_t, std::uint64_t) override { co_return Result<void>{}; }

 private:
  std::shared_ptr<const std::string> bytes_;
  std::string sha256_ = std::string(32, '\0');
};

class MemoryStore::Writer final : public BlobWriter {
 public:
  explicit Writer(MemoryStore& store) : store_(store) {}
  Task<Result<void>> append(std::string_view bytes) override {
    if (auto error = store_.failure(false)) co_return std::unexpected(std::move(*error));
    bytes_ += bytes;
    co_return Result<void>{};
  }
  std::uint64_t size() const override { return bytes_.size(); }
  Task<Result<StagedBlob>> finish() override {
    if (auto error = store_.failure(false)) co_return std::unexpected(std::move(*error));
    co_return MemoryTransaction::stage(bytes_);
  }

 private:
  MemoryStore& store_;
  std::string bytes_;
};

MemoryStore::MemoryStore() : subscribers_(std::make_shared<Subscribers>()) {}
MemoryStore::~MemoryStore() = default;

std::optional<Error> MemoryStore::failure(bool may_use_reserve) const {
  if (!failure_ || (*failure_ == ErrorCode::NoSpace && may_use_reserve)) return std::nullopt;
  return Error{*failure_, "as the test wants it", nullptr};
}

Task<Result<void>> MemoryStore::transact(std::vector<AccountId>, Step step,
                                         TransactOptions options) {
  if (before_step) before_step();
  if (auto error = failure(options.may_use_reserve)) co_return std::unexpected(std::move(*error));
  // Steps may run more than once: a first run whose writes are dropped shows those that may not.
  Result<void> result;
  try {
    keys_.begin();
    auto rehearsal = step(keys_);
    keys_.rollback();
    result = keys_.run([&](Transaction& tx) { return step(tx); });
  } catch (const IndexError& error) {
    keys_.rollback();
    result = fail(ErrorCode::Corrupt, "the index cannot be read: {}", error.what());
  }
  if (!result) co_return result;
  for (auto& [account, topic] : keys_.notified()) {
    for (auto& one : subscribers_->all) {
      if (one->account != account || (one->topic != topic && one->topic != kEveryTopic)) continue;
      one->loop->post([one] {
        if (one->changed) one->changed();
      });
    }
  }
  co_return result;
}

std::unique_ptr<BlobWriter> MemoryStore::stage(std::string) {
  return std::make_unique<Writer>(*this);
}

Task<Result<std::unique_ptr<Blob>>> MemoryStore::open_blob(BlobId blob) {
  auto found = keys_.bodies().find(blob);
  if (found == keys_.bodies().end() || !found->second.bytes)
    co_return fail(ErrorCode::NotFound, "there is no body {}", blob);
  co_return std::make_unique<Body>(found->second.bytes);
}

Task<OpenedBlobs> MemoryStore::open_blobs(std::vector<BlobId> blobs) {
  OpenedBlobs opened;
  for (auto blob : blobs) opened.push_back(co_await open_blob(blob));
  co_return opened;
}

Task<Result<std::unique_ptr<Blob>>> MemoryStore::open_staged(StagedBlob blob) {
  auto bytes = MemoryTransaction::bytes_of(blob);
  if (!bytes) co_return fail(ErrorCode::NotFound, "the staged body has no bytes");
  co_return std::make_unique<Body>(std::move(bytes));
}

std::unique_ptr<Subscription> MemoryStore::subscribe(AccountId account, std::uint32_t topic,
                                                     std::function<void()> changed) {
  auto one = std::make_shared<Subscribers::One>(
      Subscribers::One{account, topic, std::move(changed), Executor::current()});
  subscribers_->all.push_back(one);
  return std::make_unique<Listening>(subscribers_, std::move(one));
}

Task<void> MemoryStore::run_read(std::shared_ptr<const Snapshot>,
                                 std::function<void(Reader&)>& function) {
#ifdef HIKYAKU_DEBUG
  function(keys_);  // a read that counts or takes something shows it when it is run again
#endif
  CountingReader counted(keys_);
  function(counted);
  ++reads.count;
  reads.rows += counted.rows();
  reads.most_rows = std::max(reads.most_rows, counted.rows());
  co_return;
}

}  // namespace hikyaku::store
