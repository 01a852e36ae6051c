// LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
#include <algorithm>
#include <iterator>
#include <set>
#include <unordered_set>

#include "base/async.h"
#include "imap/mailbox_name.h"
#include "imapd/session.h"
#include "mailbox/listing.h"
#include "mailbox/names.h"

namespace hikyaku::imapd {
namespace {

/// Mailboxes whose counters one read takes, for RETURN (STATUS (…)).
constexpr std::size_t kStatusPerRead = 500;

/// Mailboxes and subscriptions that one read takes; and as many are put in order on the loop, more
/// on a worker.
constexpr std::size_t kListedPerRead = 1'000;

/// A mailbox, or a subscription that has outlived one.
struct Listed {
  mailbox::MailboxInfo info;
  bool exists = true;
};

std::vector<Listed> arrange(std::vector<mailbox::MailboxInfo> mailboxes,
                            std::vector<std::string> orphans) {
  std::vector<Listed> all;
  all.reserve(mailboxes.size() + orphans.size());
  for (auto& info : mailbox::arrange_mailboxes(std::move(mailboxes)))
    all.push_back({std::move(info), true});
  std::ranges::sort(orphans, mailbox::path_before);
  for (auto& path : orphans) {
    mailbox::MailboxInfo info;
    info.path = std::move(path);
    info.subscribed = true;
    info.selectable = false;
    all.push_back({std::move(info), false});
  }
  return all;
}

bool selects(const imap::ListCommand& command) {
  return command.lsub || command.select_subscribed || command.select_special_use;
}

/// Whether a mailbox itself meets the selection options. Without any, all that exist do.
bool is_selected(const imap::ListCommand& command, const Listed& one) {
  if ((command.lsub || command.select_subscribed) && !one.info.subscribed) return false;
  if (command.select_special_use && mailbox::special_use(one.info.role).empty()) return false;
  return one.exists || selects(command);
}

imap::ListEntry entry_of(const imap::ListCommand& command, const Listed& one) {
  imap::ListEntry entry{.name = one.info.path, .attributes = {}, .child_info = {}};
  auto& attributes = entry.attributes;
  if (!one.exists)
    attributes.push_back(command.lsub ? "\\Noselect" : "\\NonExistent");
  else if (!one.info.selectable)
    attributes.push_back("\\Noselect");
  if (one.exists) attributes.push_back(one.info.has_children ? "\\HasChildren" : "\\HasNoChildren");
  if (one.info.subscribed && (command.return_subscribed || command.select_subscribed))
    attributes.push_back("\\Subscribed");
  if (auto use = mailbox::special_use(one.info.role); !use.empty()) attributes.push_back(use);
  return entry;
}

}  // namespace

struct Session::Listing {
  Listing(imap::ListCommand asked)
      : command(std::move(asked)), patterns(command.reference, command.patterns) {}

  imap::ListCommand command;
  imap::ListPatterns patterns;
  std::vector<Listed> all;
  std::unordered_set<std::string_view> levels;  ///< above some of `all`, into which they point
  std::vector<const mailbox::MailboxInfo*> with_status;
  Turn turn;
};

Task<imap::Reply> Session::handle(imap::ListCommand command) {
  if (command.patterns.size() == 1 && command.patterns.front().empty() && !command.extended) {
    imap::append_list_root(out(), command.lsub);
    co_return imap::ok("Listed");
  }
  if (command.return_status && command.return_status->has(imap::StatusItem::HighestModSeq))
    enable_condstore();
  Listing listing(std::move(command));
  co_await read_mailboxes(listing);
  co_await list_mailboxes(listing);
  if (listing.command.lsub) co_await list_unsubscribed_levels(listing);
  if (listing.command.return_status)
    co_await tell_statuses(std::move(listing.with_status), *listing.command.return_status);
  co_return imap::ok("Listed");
}

Task<void> Session::read_mailboxes(Listing& listing) {
  auto id = account();
  std::vector<mailbox::MailboxInfo> mailboxes;
  std::vector<std::string> orphans;
  auto held = listing.patterns.memory();
  // One state of the tree: in another, what was read of it would not fit together.
  auto snapshot = services_.store.snapshot();
  for (auto more = true; more;) {
    auto after = mailboxes.empty() ? mailbox::kRoot : mailboxes.back().id;
    auto part = co_await services_.store.read_at(snapshot, [id, after](store::Reader& reader) {
      return mailbox::read_mailboxes(reader, id, after, kListedPerRead);
    });
    more = part.size() == kListedPerRead;
    for (auto& info : part) held += sizeof(Listed) + info.name.capacity();
    std::ranges::move(part, std::back_inserter(mailboxes));
    work_with(held);
    if (more) co_await take_turn(listing.turn);
  }
  for (auto more = true; more;) {
    auto after = orphans.empty() ? std::string() : orphans.back();
    auto part = co_await services_.store.read_at(snapshot, [id, after](store::Reader& reader) {
      return mailbox::read_orphaned_subscriptions(reader, id, after, kListedPerRead);
    });
    more = part.size() == kListedPerRead;
    for (auto& path : part) held += sizeof(Listed) + path.capacity();
    std::ranges::move(part, std::back_inserter(orphans));
    work_with(held);
    if (more) co_await take_turn(listing.turn);
  }
  snapshot.reset();
  if (mailboxes.size() + orphans.size() <= kListedPerRead) {
    listing.all = arrange(std::move(mailboxes), std::move(orphans));
  } else {
    listing.all = co_await run_on(services_.workers, [mailboxes = std::move(mailboxes),
                                                      orphans = std::move(orphans)]() mutable {
      return arrange(std::move(mailboxes), std::move(orphans));
    });
    co_await go_on();
  }
  for (auto& one : listing.all)
    if (one.exists) held += one.info.path.capacity();
  work_with(held);
}

/// Adds every level above this mailbox.
void Session::add_levels(Listing& listing, const mailbox::MailboxInfo& info) {
  for (auto parent = imap::parent_name(info.path); !parent.empty();
       parent = imap::parent_name(parent)) {
    if (!listing.levels.insert(parent).second) break;
  }
}

Task<void> Session::list_mailboxes(Listing& listing) {
  auto& command = listing.command;
  if (command.select_recursive_match) {
    for (auto& one : listing.all) {
      if (is_selected(command, one)) add_levels(listing, one.info);
      if (listing.turn.is_over()) co_await take_turn(listing.turn);
    }
  }
  for (auto& one : listing.all) {
    if (listing.turn.is_over()) co_await take_turn(listing.turn);
    auto below = command.select_recursive_match && listing.levels.contains(one.info.path);
    if (!is_selected(command, one) && !below) continue;
    if (!listing.patterns.matches(one.info.path)) continue;
    auto entry = entry_of(command, one);
    if (below && command.select_subscribed) entry.child_info.push_back("SUBSCRIBED");
    if (below && command.select_special_use) entry.child_info.push_back("SPECIAL-USE");
    imap::append_list(out(), entry, state_.name_form(), command.lsub);
    if (command.return_status && one.info.selectable) listing.with_status.push_back(&one.info);
    if (output_.full()) co_await output_.flush();
  }
}

/// RFC 3501 §6.3.9: "%" shows a level that is not subscribed itself, when something below it is
/// that the pattern does not show.
Task<void> Session::list_unsubscribed_levels(Listing& listing) {
  for (auto& one : listing.all) {
    if (listing.turn.is_over()) co_await take_turn(listing.turn);
    if (one.info.subscribed && !listing.patterns.matches(one.info.path))
      add_levels(listing, one.info);
  }
  for (auto& one : listing.all)
    if (one.info.subscribed) listing.levels.erase(one.info.path);
  std::set<std::string_view> shown;
  for (auto level : listing.levels) {
    if (listing.turn.is_over()) co_await take_turn(listing.turn);
    if (listing.patterns.matches(level)) shown.insert(level);
  }
  for (auto name : shown) {
    imap::append_list(out(),
                      {.name = std::string(name), .attributes = {"\\Noselect"}, .child_info = {}},
                      state_.name_form(), true);
    if (output_.full()) co_await output_.flush();
  }
}

Task<void> Session::tell_statuses(std::vector<const mailbox::MailboxInfo*> mailboxes,
                                  imap::StatusItems items) {
  for (std::size_t begin = 0; begin < mailboxes.size(); begin += kStatusPerRead) {
    std::span part = std::span(mailboxes).subspan(begin);
    part = part.first(std::min(part.size(), kStatusPerRead));
    auto counters = co_await services_.store.read([part, id = account()](store::Reader& reader) {
      std::vector<mailbox::Counters> result;
      for (auto* info : part) result.push_back(mailbox::get_counters(reader, id, info->id));
      return result;
    });
    for (std::size_t i = 0; i < part.size(); ++i) {
      imap::append_status(out(), part[i]->path, state_.name_form(), items,
                          status_values(*part[i], counters[i]));
    }
    if (output_.full()) co_await output_.flush();
  }
}

}  // namespace hikyaku::imapd
