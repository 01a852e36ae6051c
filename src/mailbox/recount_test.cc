#include "mailbox/recount_test.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>
#include <set>

#include "mailbox/change.h"
#include "mailbox/intents.h"
#include "mailbox/record.h"

namespace hikyaku::mailbox {

namespace {

class Recount {
 public:
  Recount(store::MemoryTransaction& memory, AccountId account)
      : memory_(memory), account_(account) {}

  std::string run() {
    load_rows();
    check_tree();
    check_messages();
    check_emails();
    check_threads();
    check_usage();
    check_roles();
    return problems_;
  }

 private:
  template <class... Args>
  void problem(fmt::format_string<Args...> format, Args&&... args) {
    problems_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  template <class Visit>
  void each(store::Table table, Visit visit) {
    memory_.scan(store::Key(account_, table).children(),
                 [&](std::string_view key, std::string_view value) {
                   visit(store::key_fields(key), value);
                   return true;
                 });
  }

  void load_rows() {
    if (auto row = load<AccountRow>(memory_, account_key(account_))) row_ = *row;
    each(kTableMailbox, [&](Decoder key, std::string_view value) {
      if (!decode(value, mailboxes_[key.u32_be()])) problem("mailbox row");
    });
    each(kTableIntent, [&](Decoder key, std::string_view value) {
      auto& intent = intents_[key.u64_be()];
      if (!decode(value, intent)) problem("intent row");
      if (intent.kind == IntentRow::Kind::EraseMailbox) erasing_.insert(intent.mailbox);
    });
  }

  void check_tree() {
    std::size_t names = 0;
    each(kTableMailboxName, [&](Decoder key, std::string_view value) {
      ++names;
      auto parent = key.u32_be();
      auto id = Decoder(value).u32_be();
      auto found = mailboxes_.find(id);
      if (found == mailboxes_.end())
        problem("name of missing mailbox {}", id);
      else if (found->second.parent != parent || found->second.name != key.rest())
        problem("name and row of mailbox {} differ", id);
      if (parent != kRoot && !mailboxes_.contains(parent)) problem("no parent {}", parent);
    });
    if (names != mailboxes_.size()) problem("{} names, {} rows", names, mailboxes_.size());
    if (row_.mailboxes != mailboxes_.size()) problem("the number of mailboxes is wrong");
    for (const auto& [id, row] : mailboxes_) {
      if (id >= row_.next_mailbox) problem("mailbox id {} will come again", id);
      if (row.uid_validity > row_.uid_validity) problem("uidvalidity will come again");
      if (!row.selectable && !has_children(memory_, account_, id))
        problem("empty placeholder {}", id);
    }
    each(kTableCounters, [&](Decoder key, std::string_view) {
      if (!mailboxes_.contains(key.u32_be())) problem("counters of a missing mailbox");
    });
    each(kTableKeyword, [&](Decoder key, std::string_view) {
      auto id = key.u32_be();
      if (!mailboxes_.contains(id) && !erasing_.contains(id))
        problem("keyword of a missing mailbox");
    });
  }

  const IntentRow* append_into(MailboxId mailbox, Uid uid) {
    for (const auto& [id, intent] : intents_)
      if (intent.kind != IntentRow::Kind::EraseMailbox && intent.mailbox == mailbox &&
          uid >= intent.first && uid - intent.first < intent.reserved)
        return &intent;
    return nullptr;
  }

  void check_messages() {
    std::map<MailboxId, Counters> counted;
    each(kTableSummary, [&](Decoder key, std::string_view value) {
      auto mailbox = key.u32_be();
      auto number = key.u32_be();
      SummaryGroup group;
      if (!group.decode(value, base_of(number)) || group.empty()) problem("summary row");
      auto counters = get_counters(memory_, account_, mailbox);
      for (const auto& message : group.rows()) {
        places_[message.email].push_back({mailbox, message.uid});
        threads_[{message.thread, mailbox, message.email}]++;
        thread_of_[message.email] = message.thread;
        check_row(mailbox, message);
        if (!mailboxes_.contains(mailbox)) {
          if (!erasing_.contains(mailbox) && !append_into(mailbox, message.uid))
            problem("message in missing mailbox {}", mailbox);
          continue;
        }
        if (message.uid >= counters.uid_next) {
          if (!append_into(mailbox, message.uid)) problem("hidden message {}", message.uid);
          continue;
        }
        count_message(counted[mailbox], message, 1);
        if (message.changed > counters.highest_change || message.changed == 0)
          problem("change {} of message {} above the mailbox's", message.changed, message.uid);
      }
    });
    for (const auto& [id, row] : mailboxes_) {
      auto have = get_counters(memory_, account_, id);
      auto want = counted[id];
      if (have.total != want.total || have.unseen != want.unseen || have.size != want.size ||
          have.deleted != want.deleted || have.deleted_unseen != want.deleted_unseen ||
          have.deleted_size != want.deleted_size)
        problem("counters of mailbox {}: total {}/{} unseen {}/{} size {}/{} deleted {}/{}", id,
                have.total, want.total, have.unseen, want.unseen, have.size, want.size,
                have.deleted, want.deleted);
      if (have.highest_change > row_.change) problem("highest change beyond the account's");
      if (have.recent_from > have.uid_next) problem("recent mark");
      if (!row.selectable && want.total > 0) problem("placeholder with messages");
      bytes_ += want.size;
      messages_ += want.total;
    }
    each(kTableMessage, [&](Decoder key, std::string_view) {
      auto mailbox = key.u32_be();
      auto uid = key.u32_be();
      if (!rows_seen_.contains({mailbox, uid})) ghosts_.insert({mailbox, uid});
    });
    each(kTableExpunged, [&](Decoder key, std::string_view) {
      key.u64_be();
      auto mailbox = key.u32_be();
      if (ghosts_.erase({mailbox, key.u32_be()}) == 0) problem("expunged without message row");
    });
    if (!ghosts_.empty()) problem("{} message rows of nobody", ghosts_.size());
  }

  void check_row(MailboxId mailbox, const MessageSummary& message) {
    rows_seen_.insert({mailbox, message.uid});
    auto record = load<MessageRecord>(memory_, message_key(account_, mailbox, message.uid));
    if (!record)
      problem("no record of {}/{}", mailbox, message.uid);
    else if (record->email != message.email || record->thread != message.thread ||
             record->size != message.size || record->received != message.received)
      problem("record and summary of {}/{} differ", mailbox, message.uid);
  }

  void check_emails() {
    std::map<store::BlobId, std::set<std::string>> owners;
    std::size_t emails = 0;
    each(kTableEmail, [&](Decoder key, std::string_view value) {
      ++emails;
      auto id = key.u64_be();
      EmailRow row;
      if (!decode(value, row)) problem("email row");
      if (id >= row_.next_email) problem("email id {} will come again", id);
      auto order = [](const Place& a, const Place& b) {
        return std::pair(a.mailbox, a.uid) < std::pair(b.mailbox, b.uid);
      };
      auto want = places_[id];
      std::sort(row.places.begin(), row.places.end(), order);
      std::sort(want.begin(), want.end(), order);
      if (row.places != want)
        problem("places of email {}: {}/{}", id, row.places.size(), want.size());
      if (want.size() > kMaxPlaces) problem("too many places");
      if (row.thread != thread_of_[id]) problem("thread of email {}", id);
      owners[row.blob].insert(email_key(account_, id).bytes());
    });
    for (const auto& [id, places] : places_)
      if (!places.empty() && !memory_.get(email_key(account_, id))) problem("no email {}", id);
    for (const auto& [id, body] : memory_.bodies())
      if (body.owners != owners[id]) problem("owners of body {}", id);
  }

  void check_threads() {
    std::map<MailboxId, std::set<ThreadId>> visible;
    std::size_t rows = 0;
    each(kTableThread, [&](Decoder key, std::string_view value) {
      ++rows;
      auto thread = key.u64_be();
      auto mailbox = key.u32_be();
      auto email = key.u64_be();
      auto found = threads_.find({thread, mailbox, email});
      if (found == threads_.end() || found->second != Decoder(value).varint())
        problem("thread row {} {} {}", thread, mailbox, email);
    });
    if (rows != threads_.size()) problem("{} thread rows, {} counted", rows, threads_.size());
    for (const auto& [where, count] : threads_)
      visible[std::get<1>(where)].insert(std::get<0>(where));
    for (const auto& [id, row] : mailboxes_) {
      auto counters = get_counters(memory_, account_, id);
      auto have = static_cast<std::int64_t>(counters.threads);
      // While a long append is under way, its intent has a share of the number.
      for (const auto& [intent_id, intent] : intents_)
        if (intent.mailbox == id && counters.reserved_by == intent_id) have += intent.threads;
      if (have != static_cast<std::int64_t>(visible[id].size()))
        problem("threads of mailbox {}: {}/{}", id, have, visible[id].size());
    }
  }

  void check_usage() {
    if (row_.used_bytes != bytes_ || row_.used_messages != messages_)
      problem("usage {}/{} bytes, {}/{} messages", row_.used_bytes, bytes_, row_.used_messages,
              messages_);
  }

  void check_roles() {
    std::size_t roles = 0;
    for (const auto& [id, row] : mailboxes_) roles += row.role != Role::None;
    if (roles != row_.roles.size()) problem("the number of roles is wrong");
    for (auto [role, id] : row_.roles)
      if (!mailboxes_.contains(id) || mailboxes_[id].role != role) problem("role of {}", id);
  }

  store::MemoryTransaction& memory_;
  AccountId account_;
  std::string problems_;
  AccountRow row_;
  std::map<MailboxId, MailboxRow> mailboxes_;
  std::map<IntentId, IntentRow> intents_;
  std::set<MailboxId> erasing_;
  std::map<EmailId, std::vector<Place>> places_;
  std::map<EmailId, ThreadId> thread_of_;
  std::map<std::tuple<ThreadId, MailboxId, EmailId>, std::uint64_t> threads_;
  std::set<std::pair<MailboxId, Uid>> rows_seen_;
  std::set<std::pair<MailboxId, Uid>> ghosts_;
  std::uint64_t bytes_ = 0;
  std::uint64_t messages_ = 0;
};

}  // namespace

std::string recount(store::MemoryTransaction& memory, AccountId account) {
  return Recount(memory, account).run();
}

}  // namespace hikyaku::mailbox
