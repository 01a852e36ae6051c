#include <algorithm>

#include "mailbox/change.h"

namespace hikyaku::mailbox {

namespace {

constexpr Flags kSystemFlags = kSeen | kAnswered | kFlagged | kDeleted | kDraft;

Flags apply(Flags before, FlagChange change, Flags bits) {
  switch (change) {
    case FlagChange::Replace:
      return bits;
    case FlagChange::Add:
      return before | bits;
    case FlagChange::Remove:
      return before & ~bits;
  }
  return before;
}

/// Whether `intern` would find room for all of them: nothing may be written before that is known.
Result<void> check_keywords(Change& change, const OpenMailbox& box,
                            const std::vector<std::string>& names) {
  std::size_t missing = 0;
  for (const auto& name : names) {
    if (!is_keyword(name))
      return fail(ErrorCode::Invalid, "not a keyword (or longer than {} bytes)", kMaxKeywordLength);
    if (find_keywords(change.tx(), change.account(), box.id, {name}) == 0) ++missing;
  }
  if (missing == 0) return {};
  auto used = load_keywords(change.tx(), change.account(), box.id).size();
  if (used + missing > static_cast<std::size_t>(kMaxKeywords))
    return fail(ErrorCode::TooLarge, "a mailbox has at most {} keywords", kMaxKeywords);
  return {};
}

}  // namespace

Result<StoredFlags> store_flags(store::Transaction& tx, AccountId account, MailboxId mailbox,
                                std::span<const Uid> uids, const StoreFlags& wish, Time now) {
  Change change(tx, account, now);
  auto* box = change.find(mailbox);
  if (!box) return fail(ErrorCode::NotFound, "the mailbox is gone");

  std::vector<Uid> wanted(uids.begin(), uids.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::erase_if(wanted, [&](Uid uid) { return !change.find(*box, uid); });
  StoredFlags stored;
  if (wanted.empty()) return stored;

  auto bits = wish.system_flags & kSystemFlags;
  if (wish.change == FlagChange::Remove) {
    bits |= find_keywords(tx, account, mailbox, wish.keywords);
  } else if (!wish.keywords.empty()) {
    TRY_DO(check_keywords(change, *box, wish.keywords));
    bits |= intern(change, *box, wish.keywords).bits;
  }

  // Of a number that a restore took back nobody knows what its client saw: all may have changed.
  auto since = wish.unchanged_since;
  if (since && change.is_lost(*since)) since = 0;
  for (auto uid : wanted) {
    auto& message = *change.find(*box, uid);
    if (since && message.changed > *since) {
      stored.modified.push_back(uid);
      continue;
    }
    if (message.changed > wish.known) stored.news.push_back(uid);
    auto flags = apply(message.flags, wish.change, bits);
    if (flags != message.flags) {
      change.record(*box).updated.add(uid);
      count_message(box->counters, message, -1);
      message.flags = flags;
      message.changed = change.number();
      count_message(box->counters, message, 1);
      change.mark_group(mailbox, uid);
    }
    stored.changed.push_back(message);
  }
  change.finish();
  return stored;
}

}  // namespace hikyaku::mailbox
