#include "app/still_there.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "app/present_messages.h"
#include "base/async.h"
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
  if (!looked_into_.insert(mailbox).second) co_return;
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

Task<bool> StillThere::has_bytes(Place& place, const std::string& digest) {
  if (!place.digest) {
    auto record = co_await core_.store().read([&](store::Reader& reader) {
      return mailbox::get_message(reader, account_, place.mailbox, place.uid);
    });
    std::string found;
    if (record) found = co_await digest_of(core_, record->blob, record->prefix);
    place.digest = std::make_unique<std::string>(std::move(found));
  }
  co_return *place.digest == digest;
}

Task<StillThere::Same> StillThere::find(mailbox::MailboxId mailbox, const mailbox::Digest& digest,
                                        Time received, std::string_view body) {
  auto wanted = key_of(digest, body.size(), received);
  auto begin = places_.lower_bound({wanted.size, wanted.message_id, INT64_MIN});
  auto end = places_.upper_bound({wanted.size, wanted.message_id, INT64_MAX});
  // Without a Message-ID the date says whether it is the same one once more.
  if (wanted.message_id == 0) std::tie(begin, end) = places_.equal_range(wanted);
  Same same;
  std::string bytes;
  for (auto at = begin; at != end; ++at) {
    auto& place = at->second;
    auto is_exact = at->first == wanted;
    if (!is_exact && place.mailbox != mailbox) continue;
    if (bytes.empty())
      bytes = co_await run_on(core_.workers(),
                              [body] { return crypto::digest(crypto::Hash::Sha256, body); });
    if (co_await has_bytes(place, bytes))
      (is_exact ? same.places : same.of_other).push_back(&place);
  }
  co_return same;
}

bool StillThere::take_own(const Same& same, mailbox::MailboxId mailbox,
                          std::optional<Wanted>& instead) {
  auto take = [](const std::vector<Place*>& places, const auto& predicate) {
    auto found = std::ranges::find_if(places, predicate);
    if (found == places.end()) return static_cast<Place*>(nullptr);
    (*found)->is_taken = true;
    return *found;
  };
  auto is_free = [&](Place* place) { return place->mailbox == mailbox && !place->is_taken; };
  // Rather one that stands for nothing.
  if (take(same.places, is_free) || take(same.of_other, is_free)) return true;
  auto* moved =
      take(same.places, [&](Place* place) { return place->mailbox == mailbox && place->moved_of; });
  if (!moved) return false;
  instead = std::move(*moved->moved_of);
  moved->moved_of.reset();
  return true;
}

bool StillThere::take_moved(const Same& same, const Wanted& wanted) {
  auto found = std::ranges::find_if(same.places, [](Place* place) { return !place->is_taken; });
  if (found == same.places.end()) return false;
  (*found)->is_taken = true;
  (*found)->moved_of = std::make_unique<Wanted>(wanted);
  return true;
}

}  // namespace hikyaku::app
