#include <algorithm>

#include "mailbox/change.h"

namespace hikyaku::mailbox {

namespace {

/// True if there is any key in the range.
bool any(store::Reader& reader, const store::KeyRange& range) {
  bool found = false;
  reader.scan(range, [&](std::string_view, std::string_view) {
    found = true;
    return false;
  });
  return found;
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

}  // namespace

namespace {

/// A mailbox that has an email of the thread; 0 if the thread is dead.
MailboxId lies_in(store::Reader& reader, AccountId account, ThreadId thread) {
  MailboxId mailbox = 0;
  reader.scan(store::Key(account, kTableThread).u64(thread).children(),
              [&](std::string_view key, std::string_view) {
                auto fields = store::key_fields(key);
                fields.u64_be();
                mailbox = fields.u32_be();
                return false;
              });
  return mailbox;
}

}  // namespace

bool thread_is_empty(store::Reader& reader, AccountId account, ThreadId thread) {
  return lies_in(reader, account, thread) == 0;
}

AssignedThread assign_thread(Change& change, const Digest& digest, EmailId email) {
  auto& tx = change.tx();
  auto account = change.account();
  ThreadId thread = 0;
  MailboxId somewhere = 0;
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
    auto mailbox = lies_in(tx, account, mapped);
    if (mailbox == 0) {
      unmapped.push_back(hash);  // its thread has died; ids do not come back
    } else if (thread == 0) {
      thread = mapped;
      somewhere = mailbox;
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
  return {thread, is_new, somewhere};
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
  int threads = 1;
  if (count > 0 || joining.lies_in == mailbox) {
    threads = 0;
  } else if (!joining.new_thread) {
    auto here = store::Key(change.account(), kTableThread).u64(thread).u32(mailbox).children();
    threads = any(tx, here) ? 0 : 1;
  }
  Encoder out;
  out.varint(count + 1);
  tx.put(key, out.bytes());
  return threads;
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
  auto here = store::Key(change.account(), kTableThread).u64(thread).u32(mailbox).children();
  return any(tx, here) ? 0 : -1;
}

}  // namespace hikyaku::mailbox
