// An account in memory and short words to work with it. For tests.
#pragma once

#include <string>
#include <vector>

#include "mailbox/intents.h"
#include "mailbox/messages.h"
#include "mailbox/recount_test.h"
#include "store/memory_transaction.h"

namespace hikyaku::mailbox {

struct TestAccount {
  static constexpr AccountId kId = 3;
  store::MemoryTransaction memory;
  Time now = Time(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21));

  TestAccount() {
    create_standard_mailboxes(memory, kId, Language::English, now);
    memory.begin();
  }

  /// Runs `step(tx)` as one transaction.
  template <class Step>
  auto run(Step step) {
    return memory.run(std::move(step));
  }
  MailboxId id(std::string_view path) {
    auto info = find_mailbox(memory, kId, path);
    return info ? info->id : 0;
  }
  MailboxInfo info(std::string_view path) { return find_mailbox(memory, kId, path).value(); }
  Counters counters(std::string_view path) { return get_counters(memory, kId, id(path)); }
  Result<MailboxInfo> create(std::string_view path, Role role = Role::None) {
    return run([&](auto& tx) { return create_mailbox(tx, kId, path, role, now); });
  }
  Result<void> rename(std::string_view from, std::string_view to) {
    return run([&](auto& tx) { return rename_mailbox(tx, kId, from, to, now); });
  }
  Result<void> remove(std::string_view path) {
    return run([&](auto& tx) { return delete_mailbox(tx, kId, path, now); });
  }

  static NewMessage message(std::uint64_t size = 100, Flags flags = 0,
                            std::vector<std::string> keywords = {}) {
    NewMessage message;
    message.body = store::MemoryTransaction::stage(size);
    message.system_flags = flags;
    message.keywords = std::move(keywords);
    return message;
  }
  Result<Placed> put(std::string_view path, const NewMessage& message) {
    return run([&](auto& tx) { return deliver(tx, kId, id(path), message, now); });
  }
  Uid put(std::string_view path, Flags flags = 0, std::vector<std::string> keywords = {}) {
    return put(path, message(100, flags, std::move(keywords)))->uid;
  }
  std::vector<MessageSummary> list(std::string_view path) {
    std::vector<MessageSummary> all;
    scan_summaries(memory, kId, id(path), 1, UINT32_MAX, [&](const MessageSummary& row) {
      all.push_back(row);
      return true;
    });
    return all;
  }
  std::vector<Uid> uids(std::string_view path) {
    std::vector<Uid> all;
    for (const auto& row : list(path)) all.push_back(row.uid);
    return all;
  }
  Result<StoredFlags> flag(std::string_view path, std::vector<Uid> uids, const StoreFlags& wish) {
    return run([&](auto& tx) { return store_flags(tx, kId, id(path), uids, wish, now); });
  }
  Result<Copied> copy(std::string_view from, std::vector<Uid> uids, std::string_view to) {
    return run([&](auto& tx) { return copy_messages(tx, kId, id(from), uids, id(to), now); });
  }
  Result<Copied> move(std::string_view from, std::vector<Uid> uids, std::string_view to) {
    return run([&](auto& tx) { return move_messages(tx, kId, id(from), uids, id(to), now); });
  }
  std::vector<Uid> expunge(std::string_view path, std::vector<Uid> uids,
                           bool only_deleted = false) {
    return run(
        [&](auto& tx) { return expunge_messages(tx, kId, id(path), uids, only_deleted, now); });
  }
  /// Works off all intents; gives the number of transactions.
  /// As a start does it.
  void abandon_all() {
    run([&](auto& tx) -> Result<void> {
      abandon_appends(tx, kId);
      return {};
    });
  }
  int work_off_all() {
    for (int pieces = 1;; ++pieces)
      if (run([&](auto& tx) { return work_off(tx, kId, now); })) return pieces;
  }
  std::string paths() {
    std::string all;
    for (const auto& info : list_mailboxes(memory, kId))
      all += (all.empty() ? "" : " ") + info.path + (info.selectable ? "" : "!");
    return all;
  }
  std::string check() { return recount(memory, kId); }
};

}  // namespace hikyaku::mailbox
