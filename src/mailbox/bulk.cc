#include "mailbox/bulk.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>

#include "store/store.h"

namespace hikyaku::mailbox {

namespace {

/// Messages of a transaction that writes whole message rows: some milliseconds.
constexpr std::size_t kPiece = 250;

constexpr store::TransactOptions kFreesSpace{.durability = store::Durability::Sync,
                                             .may_use_reserve = true};

std::vector<AccountId> only(AccountId account) {
  return {account};
}

void sort_unique(std::vector<Uid>& uids) {
  // As they mostly come, however many they are.
  if (std::ranges::adjacent_find(uids, std::greater_equal<>()) == uids.end()) return;
  std::sort(uids.begin(), uids.end());
  uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
}

template <class Item>
std::span<const Item> piece_at(const std::vector<Item>& items, std::size_t at, std::size_t size) {
  return std::span(items).subspan(at, std::min(size, items.size() - at));
}

/// A step that gives a value: `value` is what its last run gave.
template <class Value, class Function>
store::Step giving(std::optional<Value>& value, Function function) {
  return [&value, function = std::move(function)](store::Transaction& tx) -> Result<void> {
    auto result = function(tx);
    if (!result) return std::unexpected(result.error());
    value = std::move(*result);
    return {};
  };
}

template <class Item>
void append(std::vector<Item>& to, const std::vector<Item>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

ChangeNumber last_change(const std::vector<MessageSummary>& rows) {
  ChangeNumber last = 0;
  for (const auto& row : rows) last = std::max(last, row.changed);
  return last;
}

/// Before each piece.
Result<void> go_on(const BulkContext& context) {
  if (context.stopping && context.stopping())
    return fail(ErrorCode::Shutdown, "the server ends, and the rest was not done");
  return {};
}

/// Repeats a step that says when nothing is left.
Task<Result<void>> repeat(BulkContext context, AccountId account,
                          bool (*piece)(store::Transaction&, AccountId, Time)) {
  for (bool done = false; !done;) {
    CO_TRY_DO(go_on(context));
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        [&, now = context.clock.now()](store::Transaction& tx) -> Result<void> {
          done = piece(tx, account, now);
          return {};
        },
        kFreesSpace));
  }
  co_return Result<void>{};
}

Task<void> give_up(BulkContext context, AccountId account, IntentId intent) {
  auto abandoned = co_await context.store.transact(
      only(account),
      [&](store::Transaction& tx) -> Result<void> {
        abandon(tx, account, intent);
        return {};
      },
      kFreesSpace);
  // If even this fails, the next start undoes it.
  if (abandoned) (void)co_await work_off_bulk(context, account);
}

Task<Result<Published>> publish_or_give_up(BulkContext context, AccountId account, IntentId intent,
                                           Result<void> written,
                                           store::TransactOptions options = {}) {
  std::optional<Published> published;
  if (written)
    written = co_await context.store.transact(
        only(account),
        giving(published,
               [&, now = context.clock.now()](store::Transaction& tx) {
                 return publish(tx, account, intent, now);
               }),
        options);
  if (!written) {
    co_await give_up(context, account, intent);
    co_return std::unexpected(written.error());
  }
  co_return *published;
}

Task<Result<IntentId>> begin(BulkContext context, AccountId account, MailboxId mailbox,
                             std::size_t count, std::uint64_t bytes,
                             store::TransactOptions options = {}) {
  if (count > UINT32_MAX) co_return fail(ErrorCode::TooLarge, "too many messages at once");
  std::optional<IntentId> intent;
  CO_TRY_DO(co_await context.store.transact(
      only(account),
      giving(intent,
             [&, now = context.clock.now()](store::Transaction& tx) {
               return begin_append(tx, account, mailbox, static_cast<std::uint32_t>(count), bytes,
                                   now);
             }),
      options));
  co_return *intent;
}

Task<Result<void>> write_pieces(BulkContext context, AccountId account, IntentId intent,
                                const std::vector<NewMessage>& messages) {
  for (std::size_t at = 0; at < messages.size(); at += kPiece) {
    CO_TRY_DO(go_on(context));
    auto piece = piece_at(messages, at, kPiece);
    CO_TRY_DO(co_await context.store.transact(
        only(account), [&, now = context.clock.now()](store::Transaction& tx) {
          return append_piece(tx, account, intent, piece, now);
        }));
  }
  co_return Result<void>{};
}

store::TransactOptions space_for(const BulkCopy& wish) {
  return {.may_use_half_reserve = wish.is_deleting};
}

Task<Result<void>> copy_pieces(BulkContext context, AccountId account, IntentId intent,
                               const BulkCopy& wish, std::vector<Uid>& copied) {
  for (std::size_t at = 0; at < wish.uids.size(); at += kPiece) {
    CO_TRY_DO(go_on(context));
    auto piece = piece_at(wish.uids, at, kPiece);
    std::optional<std::vector<Uid>> written;
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        giving(written,
               [&, now = context.clock.now()](store::Transaction& tx) {
                 return copy_piece(tx, account, intent, wish.from, piece, now);
               }),
        space_for(wish)));
    append(copied, *written);
  }
  co_return Result<void>{};
}

}  // namespace

Task<Result<BulkStored>> store_flags_bulk(BulkContext context, AccountId account, MailboxId mailbox,
                                          std::vector<Uid> uids, StoreFlags wish) {
  sort_unique(uids);
  store::TransactOptions options{.may_use_reserve = wish.change != FlagChange::Remove &&
                                                    (wish.system_flags & kDeleted) != 0};
  BulkStored all;
  for (std::size_t at = 0; at < uids.size(); at += kMaxBatch) {
    CO_TRY_DO(go_on(context));
    auto piece = piece_at(uids, at, kMaxBatch);
    std::optional<StoredFlags> stored;
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        giving(stored,
               [&, now = context.clock.now()](store::Transaction& tx) {
                 return store_flags(tx, account, mailbox, piece, wish, now);
               }),
        options));
    all.stored += stored->changed.size();
    append(all.modified, stored->modified);
    append(all.news, stored->news);
    all.pieces.push_back({piece.back(), last_change(stored->changed)});
  }
  co_return all;
}

Task<Result<Copied>> copy_bulk(BulkContext context, AccountId account, BulkCopy wish) {
  sort_unique(wish.uids);
  if (wish.uids.size() <= kMaxBatch) {
    std::optional<Copied> copied;
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        giving(copied,
               [&, now = context.clock.now()](store::Transaction& tx) {
                 return copy_messages(tx, account, wish.from, wish.uids, wish.to, now);
               }),
        space_for(wish)));
    co_return std::move(*copied);
  }
  CO_TRY(auto intent,
         co_await begin(context, account, wish.to, wish.uids.size(), wish.bytes, space_for(wish)));
  Copied copied;
  auto written = co_await copy_pieces(context, account, intent, wish, copied.from);
  CO_TRY(auto published, co_await publish_or_give_up(context, account, intent, std::move(written),
                                                     space_for(wish)));
  copied.uid_validity = published.uid_validity;
  copied.to.reserve(published.count);
  for (std::uint32_t i = 0; i < published.count; ++i) copied.to.push_back(published.first + i);
  co_return copied;
}

Task<Result<Published>> append_bulk(BulkContext context, AccountId account, MailboxId mailbox,
                                    std::vector<NewMessage> messages) {
  if (messages.size() <= kMaxBatch) {
    Published published;
    CO_TRY_DO(co_await context.store.transact(
        only(account), [&, now = context.clock.now()](store::Transaction& tx) -> Result<void> {
          published = {};
          for (const auto& message : messages) {
            TRY(auto placed, deliver(tx, account, mailbox, message, now));
            if (published.count++ == 0) published.first = placed.uid;
            published.uid_validity = placed.uid_validity;
          }
          return {};
        }));
    co_return published;
  }
  std::uint64_t bytes = 0;
  for (const auto& message : messages) bytes += message.prefix.size() + message.body.size();
  CO_TRY(auto intent, co_await begin(context, account, mailbox, messages.size(), bytes));
  auto written = co_await write_pieces(context, account, intent, messages);
  co_return co_await publish_or_give_up(context, account, intent, std::move(written));
}

Task<Result<void>> move_bulk(BulkContext context, AccountId account, MailboxId from,
                             std::vector<Uid> uids, MailboxId to, Copied& moved) {
  sort_unique(uids);
  for (std::size_t at = 0; at < uids.size(); at += kPiece) {
    CO_TRY_DO(go_on(context));
    auto piece = piece_at(uids, at, kPiece);
    std::optional<Copied> went;
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        giving(went,
               [&, now = context.clock.now()](store::Transaction& tx) {
                 return move_messages(tx, account, from, piece, to, now);
               }),
        {.may_use_half_reserve = true}));
    moved.uid_validity = went->uid_validity;
    append(moved.from, went->from);
    append(moved.to, went->to);
  }
  co_return Result<void>{};
}

Task<Result<std::vector<Uid>>> expunge_bulk(BulkContext context, AccountId account,
                                            MailboxId mailbox, std::vector<Uid> uids,
                                            bool only_deleted) {
  sort_unique(uids);
  std::vector<Uid> gone;
  for (std::size_t at = 0; at < uids.size(); at += kPiece) {
    CO_TRY_DO(go_on(context));
    auto piece = piece_at(uids, at, kPiece);
    std::vector<Uid> went;
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        [&, now = context.clock.now()](store::Transaction& tx) -> Result<void> {
          went = expunge_messages(tx, account, mailbox, piece, only_deleted, now);
          return {};
        },
        kFreesSpace));
    append(gone, went);
  }
  co_return gone;
}

Task<Result<void>> work_off_bulk(BulkContext context, AccountId account) {
  return repeat(context, account, work_off);
}

Task<Result<void>> trim_bulk(BulkContext context, AccountId account, TrimRules rules,
                             Time expunged_before) {
  for (bool done = false; !done;) {
    CO_TRY_DO(go_on(context));
    CO_TRY_DO(co_await context.store.transact(
        only(account),
        [&, now = context.clock.now()](store::Transaction& tx) -> Result<void> {
          done = trim_changes(tx, account, now, rules);
          done = trim_expunged(tx, account, expunged_before) && done;
          if (rules.clock_is_settled) done = date_back_expunged(tx, account, now) && done;
          return {};
        },
        kFreesSpace));
  }
  co_return Result<void>{};
}

}  // namespace hikyaku::mailbox
