// LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
#include <algorithm>
#include <set>
#include <unordered_set>

#include "imap/mailbox_name.h"
#include "imapd/session.h"

namespace hikyaku::imapd {
namespace {

/// Mailboxes whose counters one read takes, for RETURN (STATUS (…)).
constexpr std::size_t kStatusPerRead = 500;

/// A mailbox, or a subscription that has outlived one.
struct Listed {
  mailbox::MailboxInfo info;
  bool exists = true;
};

std::vector<Listed> read_all(store::Reader& reader, mailbox::AccountId account) {
  std::vector<Listed> all;
  for (auto& info : mailbox::list_mailboxes(reader, account))
    all.push_back({std::move(info), true});
  for (auto& path : mailbox::orphaned_subscriptions(reader, account)) {
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

/// Every level above the mailboxes that meet `condition`.
template <class Condition>
std::unordered_set<std::string> levels_above(const std::vector<Listed>& all, Condition condition) {
  std::unordered_set<std::string> parents;
  for (auto& one : all) {
    if (!condition(one)) continue;
    for (auto parent = imap::parent_name(one.info.path); !parent.empty();
         parent = imap::parent_name(parent)) {
      if (!parents.emplace(parent).second) break;
    }
  }
  return parents;
}

/// RFC 3501 §6.3.9: "%" shows a level that is not subscribed itself, when something below it is
/// that the pattern does not show.
void list_unsubscribed_levels(std::string& out, const imap::ListPatterns& patterns,
                              const std::vector<Listed>& all, imap::NameForm form) {
  auto levels = levels_above(all, [&](const Listed& one) {
    return one.info.subscribed && !patterns.matches(one.info.path);
  });
  for (auto& one : all)
    if (one.info.subscribed) levels.erase(one.info.path);
  std::set<std::string_view> shown;
  for (auto& level : levels)
    if (patterns.matches(level)) shown.insert(level);
  for (auto name : shown) {
    imap::append_list(out,
                      {.name = std::string(name), .attributes = {"\\Noselect"}, .child_info = {}},
                      form, true);
  }
}

}  // namespace

Task<imap::Reply> Session::handle(imap::ListCommand command) {
  if (command.patterns.size() == 1 && command.patterns.front().empty() && !command.extended) {
    imap::append_list_root(out(), command.lsub);
    co_return imap::ok("Listed");
  }
  if (command.return_status && command.return_status->has(imap::StatusItem::HighestModSeq))
    enable_condstore();
  auto all = co_await services_.store.read(
      [id = account()](store::Reader& reader) { return read_all(reader, id); });
  imap::ListPatterns patterns(command.reference, command.patterns);
  auto form = state_.name_form();
  std::unordered_set<std::string> parents;
  if (command.select_recursive_match)
    parents = levels_above(all, [&](const Listed& one) { return is_selected(command, one); });

  std::vector<mailbox::MailboxInfo> with_status;
  for (auto& one : all) {
    if (!patterns.matches(one.info.path)) continue;
    auto below = command.select_recursive_match && parents.contains(one.info.path);
    if (!is_selected(command, one) && !below) continue;
    auto entry = entry_of(command, one);
    if (below && command.select_subscribed) entry.child_info.push_back("SUBSCRIBED");
    if (below && command.select_special_use) entry.child_info.push_back("SPECIAL-USE");
    imap::append_list(out(), entry, form, command.lsub);
    if (command.return_status && one.info.selectable) with_status.push_back(one.info);
    if (output_.full()) co_await output_.flush();
  }
  if (command.lsub) list_unsubscribed_levels(out(), patterns, all, form);
  if (command.return_status) co_await tell_statuses(std::move(with_status), *command.return_status);
  co_return imap::ok("Listed");
}

Task<void> Session::tell_statuses(std::vector<mailbox::MailboxInfo> mailboxes,
                                  imap::StatusItems items) {
  for (std::size_t begin = 0; begin < mailboxes.size(); begin += kStatusPerRead) {
    std::span part = std::span(mailboxes).subspan(begin);
    part = part.first(std::min(part.size(), kStatusPerRead));
    auto counters = co_await services_.store.read([part, id = account()](store::Reader& reader) {
      std::vector<mailbox::Counters> result;
      for (auto& info : part) result.push_back(mailbox::get_counters(reader, id, info.id));
      return result;
    });
    for (std::size_t i = 0; i < part.size(); ++i) {
      imap::append_status(out(), part[i].path, state_.name_form(), items,
                          status_values(part[i], counters[i]));
    }
    if (output_.full()) co_await output_.flush();
  }
}

}  // namespace hikyaku::imapd
