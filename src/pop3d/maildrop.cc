#include "pop3d/maildrop.h"

#include <algorithm>
#include <fmt/core.h>

namespace hikyaku::pop3d {
namespace {
/// Messages in one read and in one transaction.
constexpr std::size_t kPiece = 1'000;
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

Task<Result<Maildrop>> Maildrop::open(store::Store& store, mailbox::AccountId account) {
  Maildrop drop;
  drop.account_ = account;
  auto snapshot = store.snapshot();
  auto inbox = co_await store.read_at(snapshot, [account](store::Reader& reader) {
    return mailbox::find_role(reader, account, mailbox::Role::Inbox);
  });
  if (!inbox) co_return fail(ErrorCode::NotFound, "the account has no inbox");
  drop.mailbox_ = inbox->id;
  drop.uid_validity_ = inbox->uid_validity;
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
    drop.messages_.insert(drop.messages_.end(), piece.begin(), piece.end());
  }
  co_return drop;
}

Maildrop::Message* Maildrop::find(std::uint32_t number) {
  if (number == 0 || number > messages_.size() || messages_[number - 1].deleted) return nullptr;
  return &messages_[number - 1];
}

std::uint64_t Maildrop::count() const {
  return static_cast<std::uint64_t>(std::ranges::count(messages_, false, &Message::deleted));
}

std::uint64_t Maildrop::octets() const {
  std::uint64_t total = 0;
  for (auto& message : messages_) total += message.deleted ? 0 : message.size;
  return total;
}

std::string Maildrop::uidl(const Message& message) const {
  return fmt::format("{:x}.{}", uid_validity_, message.uid);
}

void Maildrop::undelete_all() {
  for (auto& message : messages_) message.deleted = false;
}

Task<Result<void>> Maildrop::update(mailbox::BulkContext context) {
  std::vector<mailbox::Uid> deleted;
  std::vector<mailbox::Uid> seen;
  for (auto& message : messages_) {
    if (message.deleted) {
      deleted.push_back(message.uid);
    } else if (message.retrieved) {
      seen.push_back(message.uid);
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
