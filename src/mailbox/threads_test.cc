// What it costs to keep threads, counted in the rows that an index steps over.
#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <set>

#include "mailbox/mailbox_fixture_test.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kId = TestAccount::kId;

/// Counts what scans step over: as in an index, also keys that were erased and not put again.
class SteppingTransaction final : public store::Transaction {
 public:
  explicit SteppingTransaction(store::MemoryTransaction& memory) : memory_(memory) {}

  std::size_t steps() const { return steps_; }

  std::optional<std::string> get(std::string_view key) override { return memory_.get(key); }
  using Reader::scan;
  void scan(const store::KeyRange& range, Direction direction,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    if (range.begin >= range.end) return;
    auto from = range.begin, to = range.end;
    memory_.scan(range, direction, [&](std::string_view key, std::string_view value) {
      ++steps_;
      auto more = visit(key, value);
      if (!more) (direction == Direction::Forward ? to : from) = key;
      return more;
    });
    auto first = erased_.lower_bound(from), last = erased_.lower_bound(to);
    steps_ += static_cast<std::size_t>(std::distance(first, last));
  }
  std::optional<std::uint64_t> blob_size(store::BlobId blob) override {
    return memory_.blob_size(blob);
  }
  std::uint32_t epoch() const override { return memory_.epoch(); }
  void put(std::string_view key, std::string_view value) override {
    erased_.erase(std::string(key));
    memory_.put(key, value);
  }
  void erase(std::string_view key) override {
    erased_.emplace(key);
    memory_.erase(key);
  }
  void erase_range(const store::KeyRange& range) override {
    memory_.scan(range, Direction::Forward, [&](std::string_view key, std::string_view) {
      erased_.emplace(key);
      return true;
    });
    memory_.erase_range(range);
  }
  bool has_put(std::string_view key) const override { return memory_.has_put(key); }
  store::BlobId own(const store::StagedBlob& blob, std::string_view owner) override {
    return memory_.own(blob, owner);
  }
  void own(store::BlobId blob, std::string_view owner) override { memory_.own(blob, owner); }
  void disown(store::BlobId blob, std::string_view owner) override { memory_.disown(blob, owner); }
  void notify(AccountId account, std::uint32_t topic) override { memory_.notify(account, topic); }

 private:
  store::MemoryTransaction& memory_;
  std::set<std::string, std::less<>> erased_;
  std::size_t steps_ = 0;
};

/// An account with a thread of many emails. Operations go in pieces, as those of drivers do.
struct LongThread : TestAccount {
  static constexpr std::size_t kEmails = 500;
  static constexpr std::size_t kPiece = 20;
  SteppingTransaction tx{memory};

  static NewMessage answer() {
    auto message = TestAccount::message();
    message.digest.reference_hashes = {1};
    return message;
  }
  /// `apart`: so many emails of other threads lie between two of it.
  explicit LongThread(std::size_t apart = 0) {
    REQUIRE(create("Others"));
    auto other = TestAccount::message();
    for (std::size_t i = 0; i < kEmails; ++i) {
      deliver("INBOX", answer());
      for (std::size_t k = 0; k < apart; ++k) deliver("Others", other);
    }
  }
  void deliver(std::string_view path, const NewMessage& message) {
    REQUIRE(run([&](auto&) { return mailbox::deliver(tx, kId, id(path), message, now); }));
  }
  void in_pieces(const std::vector<Uid>& uids, std::size_t size, auto operation) {
    for (std::size_t at = 0; at < uids.size(); at += size)
      operation(std::span(uids).subspan(at, std::min(size, uids.size() - at)));
  }
  void move_pieces(const std::vector<Uid>& uids, std::string_view from, std::string_view to,
                   std::size_t size = kPiece) {
    in_pieces(uids, size, [&](std::span<const Uid> piece) {
      REQUIRE(run([&](auto&) { return move_messages(tx, kId, id(from), piece, id(to), now); }));
    });
  }
  void expunge_pieces(const std::vector<Uid>& uids, std::string_view path,
                      std::size_t size = kPiece) {
    in_pieces(uids, size, [&](std::span<const Uid> piece) {
      run([&](auto&) { return expunge_messages(tx, kId, id(path), piece, false, now); });
    });
  }
  /// The steps of an operation, for each email.
  std::size_t steps_of(auto operation) {
    auto before = tx.steps();
    operation();
    return (tx.steps() - before) / kEmails;
  }
};

TEST_CASE("erasing a thread costs as much for each of its emails, however many there are") {
  for (std::size_t apart : {0, 1, 5}) {
    CAPTURE(apart);
    for (std::string_view order : {"first to last", "last to first", "any"}) {
      CAPTURE(order);
      LongThread account(apart);
      auto uids = account.uids("INBOX");
      if (order == "last to first") std::ranges::reverse(uids);
      if (order == "any") std::ranges::shuffle(uids, std::mt19937(7));
      CHECK(account.steps_of([&] { account.expunge_pieces(uids, "INBOX", 1); }) < 30);
      CHECK(account.counters("INBOX").threads == 0);
      CHECK(account.check() == "");
    }
  }
}

TEST_CASE("a mailbox that has a thread in another order than it came is emptied as fast") {
  LongThread account;
  auto uids = account.uids("INBOX");
  std::ranges::reverse(uids);
  CHECK(account.steps_of([&] { account.move_pieces(uids, "INBOX", "Trash", 1); }) < 30);
  CHECK(account.steps_of([&] { account.expunge_pieces(account.uids("Trash"), "Trash"); }) < 30);
  CHECK(account.counters("Trash").threads == 0);
  CHECK(account.check() == "");
}

TEST_CASE("a thread that is moved there and back, and deleted with its mailbox") {
  LongThread account;
  CHECK(account.steps_of([&] {
    account.move_pieces(account.uids("INBOX"), "INBOX", "Others");
    auto uids = account.uids("Others");
    account.move_pieces({uids.begin() + LongThread::kEmails / 2, uids.end()}, "Others", "INBOX");
    account.move_pieces(account.uids("INBOX"), "INBOX", "Others");
  }) < 30);
  CHECK(account.counters("INBOX").threads == 0);
  CHECK(account.counters("Others").threads == 1);
  auto steps = account.steps_of([&] {
    REQUIRE(
        account.run([&](auto&) { return delete_mailbox(account.tx, kId, "Others", account.now); }));
    while (!account.run([&](auto&) { return work_off(account.tx, kId, account.now); })) {
    }
  });
  CHECK(steps < 10);
  CHECK(account.check() == "");
}

TEST_CASE("forgetting what was expunged of a thread") {
  LongThread account;
  account.expunge_pieces(account.uids("INBOX"), "INBOX");
  account.now += std::chrono::hours(1);
  auto steps = account.steps_of([&] {
    while (!account.run([&](auto&) { return trim_expunged(account.tx, kId, account.now); })) {
    }
  });
  CHECK(steps < 10);
  CHECK(account.check() == "");
}

TEST_CASE("an answer to a thread most of which has been erased") {
  LongThread account;
  auto uids = account.uids("INBOX");
  uids.pop_back();
  account.expunge_pieces(uids, "INBOX");
  auto steps = [&](const NewMessage& message) {
    auto before = account.tx.steps();
    account.deliver("INBOX", message);
    return account.tx.steps() - before;
  };
  CHECK(steps(LongThread::answer()) < 10);
  CHECK(account.counters("INBOX").threads == 1);

  // All of it: looked through once, not for each of the names that lead there.
  for (std::uint64_t i = 2; i < 30; ++i) {
    auto message = LongThread::answer();
    message.digest.message_id_hash = i;
    account.deliver("INBOX", message);
  }
  account.expunge_pieces(account.uids("INBOX"), "INBOX");
  auto message = TestAccount::message();
  for (std::uint64_t i = 1; i < 30; ++i) message.digest.reference_hashes.push_back(i);
  CHECK(steps(message) < 3 * LongThread::kEmails);
  CHECK(account.check() == "");
}

}  // namespace
}  // namespace hikyaku::mailbox
