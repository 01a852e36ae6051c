// Random operations; after each, everything is counted again.
#include <doctest/doctest.h>
#include <random>

#include "mailbox/intents.h"
#include "mailbox/messages.h"
#include "mailbox/recount_test.h"
#include "mailbox/tables.h"
#include "store/memory_transaction.h"

namespace hikyaku::mailbox {
namespace {

constexpr AccountId kAccount = 7;

class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    run([&](store::Transaction& tx) {
      create_standard_mailboxes(tx, kAccount, Language::English, now_);
    });
  }

  store::MemoryTransaction memory;

  void step() {
    now_ += milliseconds(1'000);
    auto boxes = list_mailboxes(memory, kAccount);
    auto any = [&]() -> const MailboxInfo& { return boxes[number(boxes.size())]; };
    const auto& box = any();
    const auto& other = any();
    run([&](store::Transaction& tx) {
      switch (number(20)) {
        case 0:
          (void)create_mailbox(tx, kAccount, path(), Role::None, now_);
          break;
        case 1:
          (void)rename_mailbox(tx, kAccount, box.path, path(), now_);
          break;
        case 2:
          (void)delete_mailbox(tx, kAccount, box.path, now_);
          break;
        case 3:
          (void)subscribe_mailbox(tx, kAccount, box.path, number(2) == 0, now_);
          break;
        case 4:
          (void)create_mailbox(tx, kAccount, path(), Role::Flagged, now_);
          break;
        case 5:
        case 6:
          (void)copy_messages(tx, kAccount, box.id, some_uids(box.id), other.id, now_);
          break;
        case 7:
        case 8:
          (void)move_messages(tx, kAccount, box.id, some_uids(box.id), other.id, now_);
          break;
        case 9:
          expunge_messages(tx, kAccount, box.id, some_uids(box.id), number(2) == 0, now_);
          break;
        case 10:
        case 11:
        case 12:
          flags(tx, box.id);
          break;
        case 13:
          claim_recent(tx, kAccount, box.id);
          work_off(tx, kAccount, now_);
          break;
        case 14:
          long_append(tx, box.id, other.id);
          break;
        case 15:
          trim_expunged(tx, kAccount, now_ - milliseconds(20'000));
          trim_changes(tx, kAccount, now_, {std::chrono::hours(0), 50, 100});
          break;
        case 16:
          restore(tx, box.id);
          break;
        default:
          (void)deliver(tx, kAccount, box.id, message(), now_);
          if (number(3) == 0) (void)deliver(tx, kAccount, other.id, message(), now_);
      }
    });
    if (number(200) == 0) memory.set_epoch(memory.epoch() + 1);
  }

  void finish() {
    for (int i = 0; i < 10'000; ++i) {
      bool done = false;
      run([&](store::Transaction& tx) {
        abandon_appends(tx, kAccount);
        done = work_off(tx, kAccount, now_);
      });
      if (done) return;
    }
    FAIL("the intents never end");
  }

  std::uint64_t number(std::uint64_t below) { return random_() % below; }

 private:
  template <class Function>
  void run(Function function) {
    auto before = account_change(memory, kAccount);
    auto epoch = memory.epoch();
    memory.run([&](store::Transaction& tx) -> Result<void> {
      function(tx);
      return {};
    });
    // One change number per transaction at most.
    auto after = account_change(memory, kAccount);
    REQUIRE((after - before <= 1 || epoch > epoch_seen_));
    if (after != before) epoch_seen_ = epoch;
  }

  std::string path() {
    static constexpr const char* kNames[] = {"a", "b", "c", "INBOX", "d"};
    std::string result = kNames[number(5)];
    while (number(2) == 0) result += std::string("/") + kNames[number(5)];
    return result;
  }

  std::vector<Uid> some_uids(MailboxId mailbox) {
    std::vector<Uid> uids;
    auto keep = 1 + number(4);
    scan_summaries(memory, kAccount, mailbox, 1, UINT32_MAX, [&](const MessageSummary& row) {
      if (number(keep) == 0) uids.push_back(row.uid);
      return uids.size() < 40;
    });
    if (number(4) == 0) uids.push_back(static_cast<Uid>(number(100)));
    std::shuffle(uids.begin(), uids.end(), random_);
    return uids;
  }

  NewMessage message() {
    NewMessage message;
    message.body = store::MemoryTransaction::stage(number(1'000));
    message.prefix.assign(number(100), 'x');
    message.received = now_ - milliseconds(number(1'000'000));
    message.system_flags = number(32);
    if (number(3) == 0) message.keywords = {keyword()};
    message.digest.message_id_hash = 1 + number(300);
    for (auto left = number(4); left > 0; --left)
      message.digest.reference_hashes.push_back(number(300));
    return message;
  }

  std::string keyword() { return "k" + std::to_string(number(70)); }

  void flags(store::Transaction& tx, MailboxId mailbox) {
    StoreFlags wish;
    wish.change = static_cast<FlagChange>(number(3));
    wish.system_flags = number(32);
    if (number(3) == 0) wish.keywords = {keyword(), keyword()};
    if (number(3) == 0) wish.unchanged_since = number(account_change(tx, kAccount) + 5);
    (void)store_flags(tx, kAccount, mailbox, some_uids(mailbox), wish, now_);
  }

  void long_append(store::Transaction& tx, MailboxId mailbox, MailboxId from) {
    if (intent_ == 0) {
      auto begun = begin_append(tx, kAccount, mailbox, 100, 0, now_);
      if (begun) intent_ = *begun;
      return;
    }
    switch (number(5)) {
      case 0:
        (void)publish(tx, kAccount, intent_, now_);
        intent_ = 0;
        break;
      case 1:
        abandon(tx, kAccount, intent_);
        intent_ = 0;
        break;
      case 2:
        (void)copy_piece(tx, kAccount, intent_, from, some_uids(from), now_);
        break;
      default: {
        std::vector<NewMessage> messages(number(10));
        for (auto& one : messages) one = message();
        if (!append_piece(tx, kAccount, intent_, messages, now_)) {
          abandon(tx, kAccount, intent_);
          intent_ = 0;
        }
      }
    }
  }

  void restore(store::Transaction& tx, MailboxId into) {
    std::optional<ExpungedMessage> found;
    scan_expunged(tx, kAccount, Time{}, [&](const ExpungedMessage& message) {
      found = message;
      return number(3) != 0;
    });
    if (found) (void)restore_message(tx, kAccount, into, *found, now_);
  }

  std::mt19937_64 random_;
  Time now_ = Time(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21));
  IntentId intent_ = 0;
  std::uint32_t epoch_seen_ = 1;
};

TEST_CASE("counters, places, threads, owners and usage are right after every operation") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int i = 0; i < 300; ++i) {
      CAPTURE(i);
      model.step();
      REQUIRE(recount(model.memory, kAccount) == "");
    }
    model.finish();
    REQUIRE(recount(model.memory, kAccount) == "");
  }
}

TEST_CASE("an erased account leaves nothing, and no owners") {
  Model model(99);
  for (int i = 0; i < 500; ++i) model.step();
  // As a long history of changes, or of what was expunged.
  model.memory.run([&](store::Transaction& tx) -> Result<void> {
    for (std::uint32_t i = 0; i < 2'500; ++i)
      tx.put(store::Key(kAccount, store::Table{kTableEnd - 1}).u32(i), "row");
    return {};
  });
  bool done = false;
  while (!done) {
    auto rows = model.memory.keys().size();
    model.memory.run([&](store::Transaction& tx) -> Result<void> {
      done = erase_account(tx, kAccount);
      return {};
    });
    CHECK(rows - model.memory.keys().size() <= 2 * kMaxBatch);
  }
  CHECK(model.memory.keys().empty());
  for (const auto& [id, body] : model.memory.bodies()) CHECK(body.owners.empty());
}

}  // namespace
}  // namespace hikyaku::mailbox
