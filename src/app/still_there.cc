#include "app/still_there.h"

#include <algorithm>
#include <utility>

#include "app/present_messages.h"
#include "crypto/digest.h"
#include "mailbox/mailboxes.h"

namespace hikyaku::app {
namespace {

constexpr std::size_t kRowsAtOnce = 1000;

}  // namespace

StillThere::Key StillThere::key_of(const mailbox::Digest& digest, std::uint64_t size,
                                   Time received) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(received).time_since_epoch().count();
  return {size, digest.message_id_hash, seconds};
}

Task<void> StillThere::look() {
  auto mailboxes = co_await core_.store().read(
      [&](store::Reader& reader) { return mailbox::list_mailboxes(reader, account_); });
  for (auto& one : mailboxes)
    if (one.selectable) co_await look_into(one.id);
}

Task<void> StillThere::look_into(mailbox::MailboxId mailbox) {
  using Found = std::vector<std::pair<Key, mailbox::Uid>>;
  mailbox::Uid first = 1;
  for (bool more = true; more;) {
    auto found = co_await core_.store().read([&](store::Reader& reader) {
      Found piece;
      mailbox::scan_messages(reader, account_, mailbox, first, UINT32_MAX,
                             [&](mailbox::Uid uid, const mailbox::MessageRecord& record) {
                               piece.emplace_back(
                                   key_of(record.digest, record.size, record.received), uid);
                               return piece.size() < kRowsAtOnce;
                             });
      return piece;
    });
    // Not within the read, which may run more than once.
    for (auto& [key, uid] : found) places_.emplace(key, Place{mailbox, uid});
    more = found.size() == kRowsAtOnce;
    if (more) first = found.back().second + 1;
  }
}

Task<StillThere::Same> StillThere::find(const mailbox::Digest& digest, Time received,
                                        std::string_view body) {
  auto [begin, end] = places_.equal_range(key_of(digest, body.size(), received));
  Same same;
  if (begin == end) co_return same;
  crypto::Digest whole(crypto::Hash::Sha256);
  whole.update(body);
  auto wanted = whole.finish();
  for (auto at = begin; at != end; ++at) {
    auto& place = at->second;
    if (place.digest.empty()) {
      auto record = co_await core_.store().read([&](store::Reader& reader) {
        return mailbox::get_message(reader, account_, place.mailbox, place.uid);
      });
      if (record) place.digest = co_await digest_of(core_, record->blob, record->prefix);
    }
    if (place.digest == wanted) same.push_back(&place);
  }
  co_return same;
}

bool StillThere::take_own(const Same& same, mailbox::MailboxId mailbox,
                          std::optional<Wanted>& instead) {
  auto is_own = [&](Place* place) {
    return place->mailbox == mailbox && (!place->is_taken || place->moved_of);
  };
  // Rather one that stands for nothing.
  auto found =
      std::ranges::find_if(same, [&](Place* place) { return is_own(place) && !place->is_taken; });
  if (found == same.end()) found = std::ranges::find_if(same, is_own);
  if (found == same.end()) return false;
  auto& place = **found;
  if (place.moved_of) instead = std::move(*place.moved_of);
  place.moved_of.reset();
  place.is_taken = true;
  return true;
}

bool StillThere::take_moved(const Same& same, const Wanted& wanted) {
  auto found = std::ranges::find_if(same, [](Place* place) { return !place->is_taken; });
  if (found == same.end()) return false;
  (*found)->is_taken = true;
  (*found)->moved_of = std::make_unique<Wanted>(wanted);
  return true;
}

}  // namespace hikyaku::app
