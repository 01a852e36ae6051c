#include "app/present_messages.h"

#include "crypto/digest.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kRowsAtOnce = 1000;
constexpr std::uint64_t kPiece = 256 * 1024;

}  // namespace

Task<std::string> digest_of(Core& core, store::BlobId blob, std::string prefix) {
  crypto::Digest digest(crypto::Hash::Sha256);
  digest.update(prefix);
  auto opened = co_await core.store().open_blob(blob);
  if (!opened) co_return std::string();
  for (std::uint64_t at = 0; at < (*opened)->size();) {
    auto piece = co_await (*opened)->read(at, kPiece);
    if (!piece || piece->empty()) co_return std::string();
    digest.update(*piece);
    at += piece->size();
  }
  co_return digest.finish();
}

/// The messages of a mailbox that may be asked for.
Task<PresentMessages::Copies> PresentMessages::look_into(mailbox::MailboxId mailbox) const {
  Copies found;
  auto may_be = [this](std::uint64_t size) {
    auto at = wanted_.lower_bound({size, 0});
    return at != wanted_.end() && at->first == size;
  };
  for (mailbox::Uid first = 1; first != 0;) {
    first = co_await core_.store().read([&](store::Reader& reader) -> mailbox::Uid {
      std::size_t seen = 0;
      mailbox::Uid next = 0;
      std::vector<mailbox::Uid> same_size;
      mailbox::scan_summaries(reader, account_, mailbox, first, UINT32_MAX,
                              [&](const mailbox::MessageSummary& row) {
                                if (may_be(row.size)) same_size.push_back(row.uid);
                                next = row.uid + 1;
                                return ++seen < kRowsAtOnce;
                              });
      Copies piece;
      for (auto uid : same_size) {
        auto record = mailbox::get_message(reader, account_, mailbox, uid);
        if (record && wanted_.contains(key_of(*record)))
          piece.insert({key_of(*record), {record->blob, std::move(record->prefix)}});
      }
      found.merge(piece);
      return seen < kRowsAtOnce ? 0 : next;
    });
  }
  co_return found;
}

Task<bool> PresentMessages::has(mailbox::MailboxId mailbox, const mailbox::MessageRecord& record) {
  if (!known_.contains(mailbox)) {
    auto found = co_await look_into(mailbox);
    known_.insert_or_assign(mailbox, std::move(found));
  }
  auto [begin, end] = known_.at(mailbox).equal_range(key_of(record));
  for (auto at = begin; at != end; ++at)
    if (at->second.blob == record.blob && at->second.prefix == record.prefix) co_return true;
  if (begin == end) co_return false;
  auto wanted = co_await digest_of(core_, record.blob, record.prefix);
  if (wanted.empty()) co_return false;
  for (auto at = begin; at != end; ++at) {
    auto& copy = at->second;
    if (copy.digest.empty()) copy.digest = co_await digest_of(core_, copy.blob, copy.prefix);
    if (copy.digest == wanted) co_return true;
  }
  co_return false;
}

void PresentMessages::add(mailbox::MailboxId mailbox, const mailbox::MessageRecord& record) {
  known_[mailbox].insert({key_of(record), {record.blob, record.prefix}});
}

}  // namespace hikyaku::app
