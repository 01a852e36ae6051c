#include "pop3d/maildrop.h"

#include <algorithm>
#include <fmt/core.h>

namespace hikyaku::pop3d {
namespace {
/// Messages in one read.
constexpr std::size_t kPiece = 1'000;
/// A size that stands for one that has no room in 32 bits.
constexpr std::uint32_t kLarge = UINT32_MAX;

/// What so many messages take.
constexpr std::uint64_t memory_of(std::uint64_t messages) {
  return messages * (sizeof(mailbox::Uid) + sizeof(std::uint32_t)) + 2 * (messages / 8);
}
}  // namespace

std::unique_ptr<MaildropLocks::Lock> MaildropLocks::try_lock(mailbox::AccountId account) {
  std::lock_guard guard(mutex_);
  if (!locked_.insert(account).second) return nullptr;
  return std::make_unique<Lock>(*this, account);
}

void MaildropLocks::release(mailbox::AccountId account) {
  std::lock_guard guard(mutex_);
  locked_.erase(account);
}

Task<Result<Maildrop>> Maildrop::open(store::Store& store, mailbox::AccountId account,
                                      std::uint64_t most_memory) {
  Maildrop drop;
  drop.account_ = account;
  auto snapshot = store.snapshot();
  std::uint64_t total = 0;
  auto inbox = co_await store.read_at(snapshot, [account, &total](store::Reader& reader) {
    auto found = mailbox::find_role(reader, account, mailbox::Role::Inbox);
    if (found) total = mailbox::get_counters(reader, account, found->id).total;
    return found;
  });
  if (!inbox) co_return fail(ErrorCode::NotFound, "the account has no inbox");
  if (memory_of(total) > most_memory)
    co_return fail(ErrorCode::TooLarge,
                   "the inbox has {} messages, more than one connection may hold here "
                   "(limits.memory_per_connection): use IMAP",
                   total);
  drop.mailbox_ = inbox->id;
  drop.uid_validity_ = inbox->uid_validity;
  drop.reserve(total);
  for (mailbox::Uid next = 1; next != 0;) {
    auto piece = co_await store.read_at(snapshot, [&, next](store::Reader& reader) {
      std::vector<Message> messages;
      mailbox::scan_summaries(reader, account, inbox->id, next, UINT32_MAX,
                              [&](const mailbox::MessageSummary& row) {
                                messages.push_back({.uid = row.uid, .size = row.size});
                                return messages.size() < kPiece;
                              });
      return messages;
    });
    next = piece.size() < kPiece ? 0 : piece.back().uid + 1;
    for (auto& message : piece) drop.add(message);
  }
  drop.deleted_.resize(drop.size());
  drop.retrieved_.resize(drop.size());
  co_return drop;
}

void Maildrop::reserve(std::size_t count) {
  uids_.reserve(count);
  sizes_.reserve(count);
}

void Maildrop::add(const Message& message) {
  if (message.size >= kLarge) large_[uids_.size()] = message.size;
  uids_.push_back(message.uid);
  sizes_.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(message.size, kLarge)));
  ++count_;
  octets_ += message.size;
}

std::uint64_t Maildrop::size_of(std::size_t index) const {
  return sizes_[index] == kLarge ? large_.at(index) : sizes_[index];
}

std::size_t Maildrop::memory() const {
  // A node of a map with its pointers.
  constexpr std::size_t kNode = 64;
  return uids_.capacity() * sizeof(mailbox::Uid) + sizes_.capacity() * sizeof(std::uint32_t) +
         (deleted_.capacity() + retrieved_.capacity()) / 8 + large_.size() * kNode;
}

std::optional<Maildrop::Message> Maildrop::find(std::uint32_t number) const {
  if (number == 0 || number > uids_.size() || deleted_[number - 1]) return std::nullopt;
  return Message{.uid = uids_[number - 1], .size = size_of(number - 1)};
}

void Maildrop::mark_deleted(std::uint32_t number) {
  deleted_[number - 1] = true;
  --count_;
  octets_ -= size_of(number - 1);
}

void Maildrop::mark_retrieved(std::uint32_t number) {
  retrieved_[number - 1] = true;
}

std::string Maildrop::uidl(const Message& message) const {
  return fmt::format("{:x}.{}", uid_validity_, message.uid);
}

void Maildrop::undelete_all() {
  for (std::size_t i = 0; i < uids_.size(); ++i) {
    if (!deleted_[i]) continue;
    deleted_[i] = false;
    ++count_;
    octets_ += size_of(i);
  }
}

Task<Result<void>> Maildrop::update(mailbox::BulkContext context) {
  std::vector<mailbox::Uid> deleted;
  std::vector<mailbox::Uid> seen;
  for (std::size_t i = 0; i < uids_.size(); ++i) {
    if (deleted_[i]) {
      deleted.push_back(uids_[i]);
    } else if (retrieved_[i]) {
      seen.push_back(uids_[i]);
    }
  }
  // First what makes room, so that the rest finds it.
  CO_TRY_DO(co_await mailbox::expunge_bulk(context, account_, mailbox_, std::move(deleted), false));
  mailbox::StoreFlags wish;
  wish.change = mailbox::FlagChange::Add;
  wish.system_flags = mailbox::kSeen;
  // A full disk keeps nobody from deleting: what was read may stay new.
  auto marked =
      co_await mailbox::store_flags_bulk(context, account_, mailbox_, std::move(seen), wish);
  if (!marked && marked.error().code != ErrorCode::NoSpace)
    co_return std::unexpected(std::move(marked).error());
  co_return Result<void>{};
}

}  // namespace hikyaku::pop3d
