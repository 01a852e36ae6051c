#include <algorithm>

#include "mailbox/change.h"

namespace hikyaku::mailbox {

namespace {

using Direction = store::Reader::Direction;

/// True if there is any key in the range. A scan steps over keys that were erased, too, until the
/// index has forgotten them; so where it begins and where it ends is what it costs.
bool any(store::Reader& reader, const store::KeyRange& range, Direction direction) {
  bool found = false;
  reader.scan(range, direction, [&](std::string_view, std::string_view) {
    found = true;
    return false;
  });
  return found;
}

/// True if another email of the thread than this one lies in the mailbox. Looked for from this one
/// outwards, both ways by turns and ever further: when a thread goes email by email, those that
/// have gone before lie on one side (which one depends on the order), the next one on the other.
/// From one end on, each email would step over all that have gone.
bool others_lie_in(Change& change, ThreadId thread, MailboxId mailbox, EmailId email) {
  constexpr EmailId kNear = 16;
  constexpr EmailId kFurther = 64;
  auto key = [&](EmailId at) { return thread_key(change.account(), thread, mailbox, at).bytes(); };
  auto is_above = [&](EmailId from, EmailId to) {
    return any(change.tx(), {key(from), key(to)}, Direction::Forward);
  };
  auto is_below = [&](EmailId from, EmailId to) {
    return any(change.tx(), {key(from), key(to)}, Direction::Backward);
  };
  // A thread has the id of its first email.
  const auto first = std::min(thread, email);
  const auto end = std::max(change.row().next_email, email + 1);
  auto low = email, high = email + 1;
  for (auto step = kNear;; step *= kFurther) {
    // Where one side ends, all of the other is looked at: once, for it has no neighbour then. Most
    // threads have but one email, and are done here.
    if (low - first <= step) return is_below(first, low) || is_above(high, end);
    if (end - high <= step) return is_above(high, end) || is_below(first, low);
    if (is_above(high, high + step) || is_below(low - step, low)) return true;
    high += step;
    low -= step;
  }
}

/// The hashes to look a thread up by, the nearest first: the message itself (a second copy of it),
/// then what it answers, from the last reference to the first.
std::vector<std::uint64_t> hashes_of(const Digest& digest) {
  std::vector<std::uint64_t> hashes;
  auto add = [&](std::uint64_t hash) {
    if (hash != 0 && std::find(hashes.begin(), hashes.end(), hash) == hashes.end())
      hashes.push_back(hash);
  };
  add(digest.message_id_hash);
  const auto& references = digest.reference_hashes;
  for (std::size_t i = references.size(); i-- > 0 && hashes.size() < kMaxReferences;)
    add(references[i]);
  if (!references.empty()) add(references.front());
  return hashes;
}

/// What a new email of a thread finds.
enum class Life { Dead, Elsewhere, Here };

Life life_of(store::Reader& reader, AccountId account, ThreadId thread, MailboxId mailbox) {
  // From the newest on: what was erased is mostly old.
  auto here = store::Key(account, kTableThread).u64(thread).u32(mailbox).children();
  if (any(reader, here, Direction::Backward)) return Life::Here;
  return thread_is_empty(reader, account, thread) ? Life::Dead : Life::Elsewhere;
}

}  // namespace

bool thread_is_empty(store::Reader& reader, AccountId account, ThreadId thread) {
  return !any(reader, store::Key(account, kTableThread).u64(thread).children(),
              Direction::Backward);
}

AssignedThread assign_thread(Change& change, const Digest& digest, EmailId email,
                             MailboxId mailbox) {
  auto& tx = change.tx();
  auto account = change.account();
  ThreadId thread = 0, dead = 0;
  bool here = false;
  std::vector<std::uint64_t> unmapped;
  for (auto hash : hashes_of(digest)) {
    auto key = thread_of_key(account, hash);
    auto bytes = tx.get(key);
    if (!bytes) {
      unmapped.push_back(hash);
      continue;
    }
    Decoder in(*bytes);
    auto mapped = in.u64_be();
    if (in.failed()) throw CorruptRow(key);
    if (mapped == thread) continue;
    auto life = mapped == dead ? Life::Dead : life_of(tx, account, mapped, mailbox);
    if (life == Life::Dead) {
      dead = mapped;
      unmapped.push_back(hash);  // ids do not come back
    } else if (thread == 0) {
      thread = mapped;
      here = life == Life::Here;
    }
  }
  bool is_new = thread == 0;
  if (is_new) {
    thread = email;
    change.record().threads_created.add(thread);
  } else {
    change.record().threads_updated.add(thread);
  }
  Encoder value;
  value.u64_be(thread);
  for (auto hash : unmapped) tx.put(thread_of_key(account, hash), value.bytes());
  return {thread, here};
}

int enter_thread(Change& change, ThreadId thread, MailboxId mailbox, EmailId email,
                 Joining joining) {
  auto& tx = change.tx();
  auto key = thread_key(change.account(), thread, mailbox, email);
  std::uint64_t count = 0;
  if (!joining.new_email) {
    if (auto bytes = tx.get(key)) {
      Decoder in(*bytes);
      count = in.varint();
      if (in.failed()) throw CorruptRow(key);
    }
  }
  bool here =
      joining.new_email ? joining.here : count > 0 || others_lie_in(change, thread, mailbox, email);
  Encoder out;
  out.varint(count + 1);
  tx.put(key, out.bytes());
  return here ? 0 : 1;
}

int leave_thread(Change& change, ThreadId thread, MailboxId mailbox, EmailId email) {
  auto& tx = change.tx();
  auto key = thread_key(change.account(), thread, mailbox, email);
  auto bytes = tx.get(key);
  Decoder in(bytes ? std::string_view(*bytes) : std::string_view());
  auto count = in.varint();
  if (in.failed() || count == 0) throw CorruptRow(key);
  if (count > 1) {
    Encoder out;
    out.varint(count - 1);
    tx.put(key, out.bytes());
    return 0;
  }
  tx.erase(key);
  return others_lie_in(change, thread, mailbox, email) ? 0 : -1;
}

}  // namespace hikyaku::mailbox
