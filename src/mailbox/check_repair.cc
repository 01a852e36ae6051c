// Writes what a check has found to be mended.
#include <algorithm>
#include <span>

#include "mailbox/check.h"
#include "mailbox/messages.h"
#include "mailbox/numbers.h"
#include "mailbox/record.h"
#include "store/key.h"
#include "store/owners.h"

namespace hikyaku::mailbox {

Task<Result<void>> repair_account(store::Store& store, const Clock& clock, AccountId account,
                                  const AccountReport& report) {
  constexpr std::size_t kPiece = 500;
  for (std::size_t at = 0; at < report.rows.size(); at += kPiece) {
    auto end = std::min(at + kPiece, report.rows.size());
    CO_TRY_DO(co_await store.transact({account}, [&](store::Transaction& tx) -> Result<void> {
      for (auto i = at; i < end; ++i) {
        const auto& row = report.rows[i];
        if (row.value)
          tx.put(row.key, *row.value);
        else
          tx.erase(row.key);
      }
      return {};
    }));
  }
  for (const auto& fix : report.owners) {
    CO_TRY_DO(co_await store.transact({account}, [&](store::Transaction& tx) -> Result<void> {
      if (!tx.blob_size(fix.blob) || store::is_owner(tx, fix.blob, fix.owner) == fix.owns)
        return {};
      if (fix.owns)
        tx.own(fix.blob, fix.owner);
      else
        tx.disown(fix.blob, fix.owner);
      return {};
    }));
  }
  for (const auto& message : report.unreadable) {
    CO_TRY_DO(co_await store.transact(
        {account}, [&, now = clock.now()](store::Transaction& tx) -> Result<void> {
          expunge_messages(tx, account, message.mailbox, std::span(&message.uid, 1), false, now);
          return {};
        }));
  }
  co_return Result<void>{};
}

bool has_account_row(store::Reader& reader, AccountId account) {
  auto bytes = reader.get(account_key(account));
  AccountRow row;
  return bytes && decode(*bytes, row);
}

void make_account_row(store::Transaction& tx, AccountId account, Time now) {
  tx.erase(account_key(account));
  begin_account(tx, account, now);
  AccountRow row;
  if (auto bytes = tx.get(account_key(account)); !bytes || !decode(*bytes, row)) return;
  // What its mailboxes had came from the clock.
  row.uid_validity = std::max(row.uid_validity, static_cast<std::uint32_t>(uid_validity_time(now)));
  tx.put(account_key(account), encode(row));
}

std::vector<AccountId> list_accounts(store::Reader& reader) {
  std::vector<AccountId> all;
  AccountId from = 1;
  while (true) {
    std::optional<AccountId> next;
    reader.scan({store::Key(from, 0).bytes(), std::string(5, '\xFF')},
                [&](std::string_view key, std::string_view) {
                  next = Decoder(key).u32_be();
                  return false;
                });
    if (!next) return all;
    all.push_back(*next);
    if (*next == UINT32_MAX) return all;
    from = *next + 1;
  }
}

}  // namespace hikyaku::mailbox
