#include "mailbox/check.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>
#include <set>

#include "mailbox/change.h"
#include "mailbox/digest.h"
#include "mailbox/intents.h"
#include "mailbox/record.h"
#include "store/owners.h"

namespace hikyaku::mailbox {
namespace {

class Checker {
 public:
  Checker(store::Reader& reader, AccountId account, Owners owners)
      : reader_(reader), account_(account), owners_(owners) {}

  AccountReport run() {
    load_rows();
    make_mailboxes();
    check_tree();
    check_messages();
    check_ghosts();
    write_groups();
    check_counters();
    check_emails();
    check_threads();
    check_numbers();
    check_account_row();
    return std::move(report_);
  }

 private:
  /// Calls visit(key, fields, value) for every row of a table.
  template <class Visit>
  void each(store::Table table, Visit visit) {
    reader_.scan(store::Key(account_, table).children(),
                 [&](std::string_view key, std::string_view value) {
                   visit(key, store::key_fields(key), value);
                   return true;
                 });
  }

  template <class Row>
  bool read(std::string_view key, std::string_view value, Row& row) {
    if (decode(value, row)) return true;
    report_.problem("a row cannot be read: table {:#x}", static_cast<unsigned char>(key[4]));
    report_.erase(key);
    return false;
  }

  // --- mailboxes -------------------------------------------------------------------------------

  void load_rows() {
    if (auto bytes = reader_.get(account_key(account_)))
      if (!decode(*bytes, row_)) report_.problem("the account's row cannot be read");
    wanted_ = row_;
    each(kTableMailbox, [&](std::string_view key, Decoder fields, std::string_view value) {
      MailboxRow row;
      if (read(key, value, row)) mailboxes_[fields.u32_be()] = row;
    });
    each(kTableIntent, [&](std::string_view key, Decoder fields, std::string_view value) {
      IntentRow intent;
      if (!read(key, value, intent)) return;
      intents_[fields.u64_be()] = intent;
      if (intent.kind == IntentRow::Kind::EraseMailbox) erasing_.insert(intent.mailbox);
    });
    each(kTableCounters, [&](std::string_view key, Decoder fields, std::string_view value) {
      auto id = fields.u32_be();
      Counters counters;
      if (read(key, value, counters)) counters_[id] = counters;
    });
  }

  /// Mailboxes that a damaged index has lost, and in which there are messages.
  void make_mailboxes() {
    std::set<MailboxId> lost;
    each(kTableSummary, [&](std::string_view, Decoder fields, std::string_view) {
      auto id = fields.u32_be();
      auto is_begun = std::ranges::any_of(
          intents_, [&](const auto& intent) { return intent.second.mailbox == id; });
      if (!mailboxes_.contains(id) && !is_begun) lost.insert(id);
    });
    if (lost.empty()) return;
    for (auto id : lost) {
      auto& row = mailboxes_[id];
      row.uid_validity = ++wanted_.uid_validity;
      row.epoch = row_.epoch;
      row.subscribed = true;
      for (const auto& [role, of] : row_.roles)
        if (of == id) row.role = role;
    }
    each(kTableMailboxName, [&](std::string_view, Decoder fields, std::string_view value) {
      auto parent = fields.u32_be();
      auto id = Decoder(value).u32_be();
      if (!lost.contains(id)) return;
      mailboxes_[id].parent = parent;
      mailboxes_[id].name = fields.rest();
    });
    for (auto id : lost) {
      if (mailboxes_[id].name.empty()) mailboxes_[id].name = lost_name(id, mailboxes_[id].role);
      report_.problem("mailbox {} has lost its row, and is called \"{}\" now", id,
                      mailboxes_[id].name);
      report_.put(mailbox_key(account_, id), encode(mailboxes_[id]));
    }
  }

  std::string lost_name(MailboxId id, Role role) const {
    std::string name;
    auto is_taken = [&](const auto& mailbox) {
      return mailbox.second.parent == kRoot && mailbox.second.name == name;
    };
    // There is one inbox, and it has one name.
    name = "INBOX";
    if (role == Role::Inbox && std::ranges::none_of(mailboxes_, is_taken)) return name;
    name = fmt::format("Recovered {}", id);
    while (std::ranges::any_of(mailboxes_, is_taken)) name += '+';
    return name;
  }

  void check_tree() {
    std::set<MailboxId> named;
    each(kTableMailboxName, [&](std::string_view key, Decoder fields, std::string_view value) {
      auto parent = fields.u32_be();
      auto id = Decoder(value).u32_be();
      auto found = mailboxes_.find(id);
      if (found != mailboxes_.end() && found->second.parent == parent &&
          found->second.name == fields.rest()) {
        named.insert(id);
        return;
      }
      report_.problem("a name leads to mailbox {}, which is not there or called otherwise", id);
      report_.erase(key);
    });
    for (auto& [id, row] : mailboxes_) {
      if (row.parent != kRoot && !mailboxes_.contains(row.parent)) {
        report_.problem("the mailbox above mailbox {} is not there", id);
        row.parent = kRoot;
        report_.put(mailbox_key(account_, id), encode(row));
        named.erase(id);
      }
      if (!named.contains(id)) {
        report_.problem("mailbox {} has no name", id);
        report_.put(name_key(account_, row.parent, row.name), id_value(id));
      }
      if (!row.selectable && !has_children(reader_, account_, id))
        report_.problem("mailbox {} is a level without mailboxes below it", id);
      not_again(wanted_.next_mailbox, id, "mailbox");
      if (row.uid_validity > row_.uid_validity) {
        report_.problem("the UIDVALIDITY of mailbox {} would be given out again", id);
        wanted_.uid_validity = std::max(wanted_.uid_validity, row.uid_validity);
      }
    }
    each(kTableKeyword, [&](std::string_view key, Decoder fields, std::string_view) {
      auto id = fields.u32_be();
      if (mailboxes_.contains(id) || erasing_.contains(id)) return;
      report_.problem("there is a keyword of mailbox {}, which is not there", id);
      report_.erase(key);
    });
  }

  static std::string id_value(MailboxId id) {
    Encoder out;
    out.u32_be(id);
    return out.take();
  }

  const IntentRow* append_into(MailboxId mailbox, Uid uid) const {
    for (const auto& [id, intent] : intents_)
      if (intent.kind != IntentRow::Kind::EraseMailbox && intent.mailbox == mailbox &&
          uid >= intent.first && uid - intent.first < intent.reserved)
        return &intent;
    return nullptr;
  }

  // --- messages --------------------------------------------------------------------------------

  void check_messages() {
    each(kTableSummary, [&](std::string_view key, Decoder fields, std::string_view value) {
      auto mailbox = fields.u32_be();
      auto base = base_of(fields.u32_be());
      SummaryGroup group;
      if (!group.decode(value, base) || group.empty()) {
        report_.problem("the summaries of mailbox {} from UID {} on cannot be read", mailbox, base);
        report_.erase(key);
        return;
      }
      auto kept = group;
      for (auto message : group.rows()) {
        if (check_message(mailbox, message))
          kept.put(message);
        else
          kept.remove(message.uid);
      }
      if (!std::ranges::equal(kept.rows(), group.rows()))
        groups_[{mailbox, group_of(base)}] = std::move(kept);
    });
  }

  /// The row of a message that a damaged index has lost: of the same message elsewhere or, without
  /// the header fields that we had put in front of it, from the body. What follows from the body's
  /// bytes is put in when the messages are read.
  std::optional<MessageRecord> make_record(MailboxId mailbox, const MessageSummary& message) {
    auto row = reader_.get(email_key(account_, message.email));
    EmailRow email;
    Place here{mailbox, message.uid};
    if (!row || !decode(*row, email) || std::ranges::find(email.places, here) == email.places.end())
      return std::nullopt;
    auto body = reader_.blob_size(email.blob);
    if (!body) return std::nullopt;
    MessageRecord made;
    made.email = message.email;
    made.thread = email.thread;
    made.blob = email.blob;
    made.size = *body;
    made.digest.header_set = make_digest("", "").header_set;
    for (auto place : email.places) {
      auto bytes = reader_.get(message_key(account_, place.mailbox, place.uid));
      MessageRecord other;
      if (!bytes || !decode(*bytes, other) || other.email != message.email) continue;
      made = std::move(other);
      break;
    }
    made.received = made.saved = message.received;
    return made;
  }

  /// False if there is no such message (any more).
  bool check_message(MailboxId mailbox, MessageSummary& message) {
    auto where = mailboxes_.find(mailbox);
    const auto* append = append_into(mailbox, message.uid);
    if (where == mailboxes_.end() && !erasing_.contains(mailbox) && !append) {
      report_.problem("message {} lies in mailbox {}, which is not there", message.uid, mailbox);
      return false;
    }
    auto bytes = reader_.get(message_key(account_, mailbox, message.uid));
    MessageRecord record;
    if (!bytes || !decode(*bytes, record)) {
      auto made = make_record(mailbox, message);
      if (!made) {
        lose(mailbox, message, {}, "its row is lost");
        return false;
      }
      record = std::move(*made);
      message.size = record.size;
      message.thread = record.thread;
      report_.problem(
          "message {} of mailbox {} has lost its row, which is made again from its body{}",
          message.uid, mailbox,
          record.prefix.empty() ? " without the header fields of its arrival" : "");
      report_.put(message_key(account_, mailbox, message.uid), encode(record));
    }
    records_.insert({mailbox, message.uid});
    auto body = reader_.blob_size(record.blob);
    if (!body) {
      lose(mailbox, message, record.digest.header_fields, "its body is lost");
      return false;
    }
    if (record.email != message.email || record.thread != message.thread ||
        record.size != message.size || record.received != message.received ||
        record.size != record.prefix.size() + *body) {
      lose(mailbox, message, record.digest.header_fields, "its row and its summary differ");
      return false;
    }
    auto& email = emails_[message.email];
    email.blob = record.blob;
    email.thread = record.thread;
    email.size = record.size;
    email.places.push_back({mailbox, message.uid});
    ++threads_[{message.thread, mailbox, message.email}];
    if (where == mailboxes_.end()) return true;
    count(mailbox, message, append != nullptr);
    return true;
  }

  void count(MailboxId mailbox, const MessageSummary& message, bool in_append) {
    auto& counters = counted_[mailbox];
    auto uid_next = counters_[mailbox].uid_next;
    if (message.uid >= uid_next) {
      if (in_append) return;
      report_.problem("message {} of mailbox {} is at or above UIDNEXT", message.uid, mailbox);
    }
    ++report_.messages;
    count_message(counters, message, 1);
    counters.uid_next = std::max(counters.uid_next, message.uid + 1);
    counters.highest_change = std::max(counters.highest_change, message.changed);
    if (message.changed > counters_[mailbox].highest_change || message.changed == 0)
      report_.problem("message {} of mailbox {} was changed by {}, after the mailbox's last change",
                      message.uid, mailbox, message.changed);
  }

  void lose(MailboxId mailbox, const MessageSummary& message, std::string fields,
            std::string reason) {
    report_.problem("message {} of mailbox {}: {}", message.uid, mailbox, reason);
    report_.lost.push_back({path_of(reader_, account_, mailbox), mailbox, message.uid, message.size,
                            message.received, std::move(fields), std::move(reason)});
    // Its number stays used.
    auto& counters = counted_[mailbox];
    if (!append_into(mailbox, message.uid))
      counters.uid_next = std::max(counters.uid_next, message.uid + 1);
    counters.highest_change = std::max(counters.highest_change, message.changed);
    // What was begun to be checked of it is no message either.
    report_.erase(message_key(account_, mailbox, message.uid));
    records_.insert({mailbox, message.uid});
  }

  /// Rows of messages that were expunged and can be brought back; no others.
  void check_ghosts() {
    std::set<std::pair<MailboxId, Uid>> ghosts;
    each(kTableMessage, [&](std::string_view, Decoder fields, std::string_view) {
      auto mailbox = fields.u32_be();
      auto uid = fields.u32_be();
      if (!records_.contains({mailbox, uid})) ghosts.insert({mailbox, uid});
    });
    each(kTableExpunged, [&](std::string_view key, Decoder fields, std::string_view value) {
      fields.u64_be();
      auto mailbox = fields.u32_be();
      auto uid = fields.u32_be();
      if (!ghosts.contains({mailbox, uid})) {
        report_.problem("message {} of mailbox {} was expunged and has no row", uid, mailbox);
        report_.erase(key);
      } else if (check_expunged(key, value, mailbox, uid)) {
        ghosts.erase({mailbox, uid});
        note_expunged(mailbox, uid);
      }
    });
    for (auto [mailbox, uid] : ghosts)
      if (!make_summary(mailbox, uid)) {
        report_.problem("message {} of mailbox {} has a row and no summary", uid, mailbox);
        report_.erase(message_key(account_, mailbox, uid));
      }
  }

  /// Its row is still there: who got its number would take the row's place.
  void note_expunged(MailboxId mailbox, Uid uid) {
    if (mailboxes_.contains(mailbox) && !append_into(mailbox, uid))
      counted_[mailbox].uid_next = std::max(counted_[mailbox].uid_next, uid + 1);
    if (!mailboxes_.contains(mailbox)) not_again(wanted_.next_mailbox, mailbox, "mailbox");
  }

  /// What says where an expunged message was: made again from its record, without its flags, when
  /// it cannot be read. False when the record cannot be read either: nothing brings it back.
  bool check_expunged(std::string_view key, std::string_view value, MailboxId mailbox, Uid uid) {
    MessageRecord record;
    ExpungedRow row;
    auto bytes = reader_.get(message_key(account_, mailbox, uid));
    if (!decode(*bytes, record)) {
      report_.problem("message {} of mailbox {} was expunged and has a row that cannot be read",
                      uid, mailbox);
      report_.erase(key);
      return false;
    }
    not_again(wanted_.next_email, record.email, "email");
    if (decode(value, row)) return true;
    report_.problem("message {} of mailbox {} was expunged, and it cannot be read from where", uid,
                    mailbox);
    row = {};
    row.path = "INBOX";
    if (auto box = mailboxes_.find(mailbox); box != mailboxes_.end()) {
      row.path = path_of(reader_, account_, mailbox);
      row.uid_validity = box->second.uid_validity;
    }
    row.email = record.email;
    row.blob = record.blob;
    report_.put(key, encode(row));
    return true;
  }

  void write_groups() {
    for (const auto& [where, group] : groups_) {
      auto key = summary_key(account_, where.first, where.second);
      if (group.empty())
        report_.erase(key);
      else
        report_.put(key, group.encode(base_of(where.second)));
    }
  }

  /// The summary of a message that a damaged index has lost, if it lies there still; its flags are
  /// gone.
  bool make_summary(MailboxId mailbox, Uid uid) {
    auto bytes = reader_.get(message_key(account_, mailbox, uid));
    MessageRecord record;
    if (!mailboxes_.contains(mailbox) || !bytes || !decode(*bytes, record)) return false;
    auto row = reader_.get(email_key(account_, record.email));
    EmailRow email;
    if (row && decode(*row, email)) {
      if (std::ranges::find(email.places, Place{mailbox, uid}) == email.places.end()) return false;
    } else if (!store::is_owner(reader_, record.blob, email_key(account_, record.email))) {
      return false;
    }
    MessageSummary message;
    message.uid = uid;
    message.changed = std::max<ChangeNumber>(counters_[mailbox].highest_change, 1);
    message.size = record.size;
    message.received = record.received;
    message.email = record.email;
    message.thread = record.thread;
    report_.problem("message {} of mailbox {} has lost its flags with its summary", uid, mailbox);
    if (!check_message(mailbox, message)) return true;  // told, and gone
    auto [group, made] = groups_.try_emplace({mailbox, group_of(uid)});
    if (made)
      if (auto there = reader_.get(summary_key(account_, mailbox, group_of(uid))))
        if (!group->second.decode(*there, base_of(group_of(uid)))) group->second = {};
    group->second.put(message);
    return true;
  }

  void check_counters() {
    for (const auto& [id, counters] : counters_) {
      if (mailboxes_.contains(id)) continue;
      report_.problem("there are counters of mailbox {}, which is not there", id);
      report_.erase(counters_key(account_, id));
    }
    for (const auto& [id, row] : mailboxes_) {
      const auto& have = counters_[id];
      const auto& counted = counted_[id];
      auto want = have;
      want.total = counted.total;
      want.unseen = counted.unseen;
      want.size = counted.size;
      want.deleted = counted.deleted;
      want.deleted_unseen = counted.deleted_unseen;
      want.deleted_size = counted.deleted_size;
      want.uid_next = std::max(want.uid_next, counted.uid_next);
      want.highest_change = std::max(want.highest_change, counted.highest_change);
      want.recent_from = std::min(want.recent_from, want.uid_next);
      want.threads = threads_of(id, have);
      bytes_ += want.size;
      messages_ += want.total;
      if (want != have) {
        report_.problem(
            "the counters of mailbox {} are wrong: {} messages ({} counted), {} unseen ({}), {} "
            "bytes ({}), {} threads ({}), UIDNEXT {} ({})",
            id, have.total, want.total, have.unseen, want.unseen, have.size, want.size,
            have.threads, want.threads, have.uid_next, want.uid_next);
        report_.put(counters_key(account_, id), encode(want));
      }
      if (want.highest_change > row_.change) {
        report_.problem("the change numbers of mailbox {} would be given out again", id);
        wanted_.change = std::max(wanted_.change, want.highest_change);
      }
      if (!row.selectable && want.total > 0)
        report_.problem("mailbox {} is only a level and has messages", id);
    }
  }

  std::uint32_t threads_of(MailboxId id, const Counters& have) const {
    std::set<ThreadId> visible;
    for (const auto& [where, count] : threads_)
      if (std::get<1>(where) == id) visible.insert(std::get<0>(where));
    auto threads = static_cast<std::int64_t>(visible.size());
    // While a long append is under way, its intent has a share of the number.
    if (auto intent = intents_.find(have.reserved_by);
        have.reserved_by != 0 && intent != intents_.end() && intent->second.mailbox == id)
      threads -= intent->second.threads;
    return static_cast<std::uint32_t>(std::max<std::int64_t>(threads, 0));
  }

  // --- emails and threads ----------------------------------------------------------------------

  void check_emails() {
    auto order = [](const Place& a, const Place& b) {
      return std::pair(a.mailbox, a.uid) < std::pair(b.mailbox, b.uid);
    };
    std::set<EmailId> found;
    each(kTableEmail, [&](std::string_view key, Decoder fields, std::string_view value) {
      auto id = fields.u64_be();
      EmailRow row;
      if (!decode(value, row)) {
        report_.problem("the row of email {} cannot be read", id);
        if (!emails_.contains(id)) report_.erase(key);
        return;
      }
      auto want = emails_.find(id);
      if (want == emails_.end()) {
        report_.problem("email {} lies in no mailbox", id);
        report_.erase(key);
        report_.owners.push_back({row.blob, std::string(key), false});
        return;
      }
      found.insert(id);
      std::ranges::sort(row.places, order);
      std::ranges::sort(want->second.places, order);
      if (row.places != want->second.places || row.thread != want->second.thread ||
          row.blob != want->second.blob || row.size != want->second.size) {
        report_.problem(
            "email {} does not lie where its row says, or is of another thread, body or size", id);
        report_.put(key, encode(want->second));
        if (row.blob != want->second.blob)
          report_.owners.push_back({row.blob, std::string(key), false});
      }
    });
    for (const auto& [id, email] : emails_) {
      auto key = email_key(account_, id).bytes();
      if (!found.contains(id)) {
        report_.problem("email {} has no row", id);
        report_.put(key, encode(email));
      }
      if (email.places.size() > kMaxPlaces) report_.problem("email {} lies in too many places", id);
      not_again(wanted_.next_email, id, "email");
      if (owners_ == Owners::Look && !store::is_owner(reader_, email.blob, key)) {
        report_.problem("email {} does not own its body {}", id, email.blob);
        report_.owners.push_back({email.blob, key, true});
      }
    }
  }

  void check_threads() {
    auto missing = threads_;
    each(kTableThread, [&](std::string_view key, Decoder fields, std::string_view value) {
      auto thread = fields.u64_be();
      auto mailbox = fields.u32_be();
      auto email = fields.u64_be();
      auto found = missing.find({thread, mailbox, email});
      if (found == missing.end()) {
        report_.problem("email {} is not in thread {} of mailbox {}", email, thread, mailbox);
        report_.erase(key);
        return;
      }
      if (found->second == Decoder(value).varint()) missing.erase(found);
    });
    for (const auto& [where, count] : missing) {
      auto [thread, mailbox, email] = where;
      report_.problem("email {} is missing in thread {} of mailbox {}", email, thread, mailbox);
      Encoder out;
      out.varint(count);
      report_.put(thread_key(account_, thread, mailbox, email), out.take());
    }
  }

  // --- numbers ---------------------------------------------------------------------------------

  /// `next` is given out next: not `id`, of which there are rows.
  template <class Number>
  void not_again(Number& next, Number id, std::string_view what) {
    if (id < next) return;
    report_.problem("the id of {} {} would be given out again", what, id);
    next = id + 1;
  }

  /// Of those that need not have a mailbox or an email any more.
  void check_numbers() {
    for (const auto& [id, intent] : intents_) {
      not_again(wanted_.next_intent, id, "intent");
      not_again(wanted_.next_mailbox, intent.mailbox, "mailbox");
    }
    // A thread has the number of its first email.
    ThreadId highest = 0;
    for (const auto& [where, count] : threads_) highest = std::max(highest, std::get<0>(where));
    each(kTableThreadOf, [&](std::string_view, Decoder, std::string_view value) {
      highest = std::max(highest, Decoder(value).u64_be());
    });
    not_again(wanted_.next_email, highest, "thread");
    ChangeNumber last = 0;
    reader_.scan(store::Key(account_, kTableChange).children(), store::Reader::Direction::Backward,
                 [&](std::string_view key, std::string_view) {
                   last = store::key_fields(key).u64_be();
                   return false;
                 });
    if (last <= wanted_.change) return;
    report_.problem("the change number {} would be given out again", last);
    wanted_.change = last;
  }

  // --- the account -----------------------------------------------------------------------------

  void check_account_row() {
    wanted_.mailboxes = static_cast<std::uint32_t>(mailboxes_.size());
    wanted_.used_bytes = bytes_;
    wanted_.used_messages = messages_;
    std::erase_if(wanted_.roles, [&](const auto& role) {
      auto found = mailboxes_.find(role.second);
      return found == mailboxes_.end() || found->second.role != role.first;
    });
    for (const auto& [id, row] : mailboxes_) {
      auto known = [&](const auto& role) { return role.first == row.role; };
      if (row.role != Role::None && std::ranges::none_of(wanted_.roles, known))
        wanted_.roles.emplace_back(row.role, id);
    }
    if (wanted_ == row_) return;
    if (row_.used_bytes != bytes_ || row_.used_messages != messages_)
      report_.problem("the account uses {} bytes ({} counted) in {} messages ({})", row_.used_bytes,
                      bytes_, row_.used_messages, messages_);
    if (row_.mailboxes != wanted_.mailboxes)
      report_.problem("the account has {} mailboxes ({} counted)", row_.mailboxes,
                      wanted_.mailboxes);
    if (row_.roles != wanted_.roles) report_.problem("roles do not lead to their mailboxes");
    report_.put(account_key(account_), encode(wanted_));
  }

  store::Reader& reader_;
  AccountId account_;
  Owners owners_;
  AccountReport report_;
  AccountRow row_;
  AccountRow wanted_;
  std::map<MailboxId, MailboxRow> mailboxes_;
  std::map<IntentId, IntentRow> intents_;
  std::set<MailboxId> erasing_;
  std::map<MailboxId, Counters> counters_;
  std::map<MailboxId, Counters> counted_;
  std::map<EmailId, EmailRow> emails_;  ///< as they should be
  std::map<std::tuple<ThreadId, MailboxId, EmailId>, std::uint64_t> threads_;
  std::set<std::pair<MailboxId, Uid>> records_;
  /// To be written, by group_of().
  std::map<std::pair<MailboxId, std::uint32_t>, SummaryGroup> groups_;
  std::uint64_t bytes_ = 0;
  std::uint64_t messages_ = 0;
};

}  // namespace

AccountReport check_account(store::Reader& reader, AccountId account, Owners owners) {
  return Checker(reader, account, owners).run();
}

}  // namespace hikyaku::mailbox
