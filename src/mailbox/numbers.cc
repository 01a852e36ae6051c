#include "mailbox/numbers.h"

#include <algorithm>
#include <fmt/core.h>
#include <stdexcept>

#include "mailbox/mailboxes.h"
#include "store/epoch.h"

namespace hikyaku::mailbox {
namespace {

/// A clock that is further off counts for nothing.
constexpr std::uint64_t kHighestTime = 0xF0000000;
/// The epoch of a new store.
constexpr std::uint32_t kFirstEpoch = 1;

/// Where the numbers of a store begin of which no account was ever removed.
Numbers first_numbers(std::uint32_t epoch) {
  return {.epoch = std::min(kFirstEpoch, epoch)};
}

}  // namespace

std::uint64_t uid_validity_time(Time now) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  auto time = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0));
  return time < kHighestTime ? time : 0;
}

Numbers in_epoch(Numbers numbers, std::uint32_t epoch, Time now) {
  if (numbers.epoch == epoch) return numbers;
  auto distance = [&](std::uint64_t lost) {
    return store::epoch_distance(numbers.epoch, epoch, lost);
  };
  auto few = distance(kLostMailboxes), many = distance(kLostNumbers);
  // From the time on, if that is ahead: otherwise it would take the place of what chance gave.
  auto uid_validity = std::max<std::uint64_t>(numbers.uid_validity, uid_validity_time(now));
  if (uid_validity + few > kHighestTime) uid_validity = numbers.uid_validity;
  // Numbers that come round would be given out twice, so nothing is written any more.
  if (few > UINT32_MAX - std::max<std::uint64_t>(numbers.next_mailbox, uid_validity))
    throw std::overflow_error(fmt::format(
        "numbers of epoch {} do not go so far as the store's epoch, {}", numbers.epoch, epoch));
  return {
      .epoch = epoch,
      .change = numbers.change + many,
      .next_mailbox = static_cast<MailboxId>(numbers.next_mailbox + few),
      .next_email = numbers.next_email + many,
      .uid_validity = static_cast<std::uint32_t>(uid_validity + few),
  };
}

void begin_former_numbers(store::Transaction& tx, bool is_first_account) {
  if (tx.get(former_key())) return;
  auto numbers = first_numbers(tx.epoch());
  if (!is_first_account) {
    // As far as a time that is lost may have come; of UIDVALIDITY the clock tells.
    numbers.epoch = 0;
    numbers.change += kLostNumbers;
    numbers.next_email += kLostNumbers;
    numbers.next_mailbox += static_cast<MailboxId>(kLostMailboxes);
  }
  tx.put(former_key(), encode(numbers));
}

void begin_account(store::Transaction& tx, AccountId account, Time now) {
  if (tx.get(account_key(account))) return;
  auto former = load<Numbers>(tx, former_key()).value_or(first_numbers(tx.epoch()));
  AccountRow row;
  row.numbers() = in_epoch(former, tx.epoch(), now);
  row.change_floor = row.change;
  tx.put(account_key(account), encode(row));
}

void close_account(store::Transaction& tx, AccountId account, Time now) {
  auto row = load<AccountRow>(tx, account_key(account));
  if (!row) return;
  begin_former_numbers(tx, false);
  auto former = in_epoch(load<Numbers>(tx, former_key()).value(), tx.epoch(), now);
  auto last = in_epoch(row->numbers(), tx.epoch(), now);
  // One more: who knows the last has not seen how the next account began.
  former.change = std::max(former.change, last.change + 1);
  former.next_mailbox = std::max(former.next_mailbox, last.next_mailbox);
  former.next_email = std::max(former.next_email, last.next_email);
  former.uid_validity = std::max(former.uid_validity, last.uid_validity);
  tx.put(former_key(), encode(former));
  tx.erase(account_key(account));
  tx.notify(account, kTopicMailboxes);
}

}  // namespace hikyaku::mailbox
