// A key space in memory with the Transaction interface: for unit tests of steps and of functions
// over a Reader. One object lives through many transactions; bodies are ids and sizes, and who owns
// them.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "store/store.h"

namespace hikyaku::store {

class MemoryTransaction final : public Transaction {
 public:
  using Keys = std::map<std::string, std::string, std::less<>>;

  /// Runs `step` as one transaction: if it returns an error or throws, nothing has happened.
  template <class Function>
  auto run(Function step) -> decltype(step(std::declval<Transaction&>())) {
    begin();
    try {
      auto result = step(static_cast<Transaction&>(*this));
      if constexpr (requires {
                      result.has_value();
                      result.error();
                    }) {
        if (!result) rollback();
      }
      return result;
    } catch (...) {
      rollback();
      throw;
    }
  }
  /// What run() does, by hand: a new transaction begins, what was written so far stays.
  void begin();
  /// Takes back everything since begin().
  void rollback();

  /// A body of this size that transactions can own.
  static StagedBlob stage(std::uint64_t size);
  /// The same with its bytes, and these; null if it has none.
  static StagedBlob stage(std::string bytes);
  static std::shared_ptr<const std::string> bytes_of(const StagedBlob& blob);
  void set_epoch(std::uint32_t epoch) { epoch_ = epoch; }

  const Keys& keys() const { return keys_; }
  struct Body {
    std::uint64_t size = 0;
    std::set<std::string> owners;
    std::shared_ptr<const std::string> bytes;
  };
  /// Bodies that were ever owned; those without owners are waiting to be reclaimed.
  const std::map<BlobId, Body>& bodies() const { return bodies_; }
  using Notified = std::set<std::pair<AccountId, std::uint32_t>>;
  /// The notifications of the present transaction.
  const Notified& notified() const { return notified_; }
  /// Keys put or erased in the present transaction (an erased range counts once).
  std::size_t writes() const { return writes_; }

  /// Called with the key of every row before it is read, and with the beginning of every range: a
  /// test throws IndexError, as an index that is damaged there does.
  std::function<void(std::string_view key)> before_get;

  std::optional<std::string> get(std::string_view key) override;
  using Reader::scan;
  void scan(const KeyRange& range, Direction direction,
            const std::function<bool(std::string_view, std::string_view)>& visit) override;
  std::optional<std::uint64_t> blob_size(BlobId blob) override;
  std::uint32_t epoch() const override { return epoch_; }
  void put(std::string_view key, std::string_view value) override;
  void erase(std::string_view key) override;
  void erase_range(const KeyRange& range) override;
  bool has_put(std::string_view key) const override;
  BlobId own(const StagedBlob& blob, std::string_view owner) override;
  void own(BlobId blob, std::string_view owner) override;
  void disown(BlobId blob, std::string_view owner) override;
  void notify(AccountId account, std::uint32_t topic) override;

 private:
  void remember(std::string_view key);

  Keys keys_;
  std::map<BlobId, Body> bodies_;
  BlobId next_blob_ = 1;
  std::uint32_t epoch_ = 1;

  // The present transaction: values as they were before it, for taking it back.
  std::map<std::string, std::optional<std::string>, std::less<>> before_;
  std::map<BlobId, std::optional<Body>> bodies_before_;
  std::set<std::string, std::less<>> put_;
  Notified notified_;
  std::size_t writes_ = 0;
};

}  // namespace hikyaku::store
