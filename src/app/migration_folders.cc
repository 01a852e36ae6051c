#include "app/migration_folders.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace hikyaku::app {
namespace {

constexpr std::string_view kUses[] = {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"};

bool is_inbox(std::string_view name) {
  return iequals(name, "INBOX");
}

bool holds_messages(const imap::ListData& folder) {
  return !folder.has("\\Noselect") && !folder.has("\\NonExistent");
}

/// The name without the namespace's prefix, level by level.
std::vector<std::string> levels_of(const AccountFolders& account, std::string_view name) {
  if (is_inbox(name)) return {"INBOX"};
  if (!account.prefix.empty() && istarts_with(name, account.prefix) &&
      name.size() > account.prefix.size())
    name.remove_prefix(account.prefix.size());
  std::vector<std::string> levels;
  auto add = [&](std::string_view level) {
    if (!level.empty()) levels.emplace_back(level);
  };
  if (!account.separator)
    add(name);
  else
    for (auto level : split(name, *account.separator)) add(level);
  return levels;
}

/// What no server takes, or what would be another level there, becomes "_".
std::string cleaned(std::string level, std::optional<char> separator) {
  for (auto& c : level) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f || c == '%' || c == '*' || c == separator) c = '_';
  }
  if (level == "." || level == "..") level.insert(0, "_");
  return to_valid_utf8(level);
}

std::string name_in(const AccountFolders& account, const std::vector<std::string>& levels) {
  if (levels.size() == 1 && is_inbox(levels.front())) return "INBOX";
  std::string name = account.prefix;
  std::string separator(1, account.separator.value_or('_'));
  // "INBOX." as prefix and INBOX as the first level are the same thing.
  bool below_inbox = is_inbox(levels.front()) && istarts_with(account.prefix, "INBOX" + separator);
  for (std::size_t i = below_inbox ? 1 : 0; i < levels.size(); ++i) {
    if (i > (below_inbox ? 1u : 0u)) name += separator;
    name += cleaned(levels[i], account.separator);
  }
  return name;
}

bool excluded(std::string_view name, std::optional<char> separator,
              const std::vector<std::string>& exclude) {
  return std::ranges::any_of(exclude, [&](std::string_view one) {
    return name == one ||
           (separator && name.starts_with(one) && name.size() > one.size() &&
            name[one.size()] == *separator) ||
           (is_inbox(name) && is_inbox(one));
  });
}

const imap::ListData* find_folder(const AccountFolders& account, std::string_view name) {
  for (auto& folder : account.folders) {
    if (folder.name == name || (is_inbox(name) && is_inbox(folder.name))) return &folder;
  }
  return nullptr;
}

const imap::ListData* find_use(const AccountFolders& account, std::string_view use) {
  for (auto& folder : account.folders)
    if (!use.empty() && holds_messages(folder) && special_use_of(folder) == use) return &folder;
  return nullptr;
}

class Planner {
 public:
  Planner(const AccountFolders& from, const AccountFolders& to) : from_(from), to_(to) {}

  FolderPlan plan(const imap::ListData& folder) {
    FolderPlan plan;
    plan.from = folder.name;
    auto use = special_use_of(folder);
    auto* same_use = find_use(to_, use);
    if (same_use && !taken_.contains(same_use->name)) {
      plan.to = same_use->name;
    } else {
      auto levels = levels_of(from_, folder.name);
      if (levels.empty()) return plan;  // "/": nothing but separators
      auto name = name_in(to_, levels);
      plan.to = name;
      for (int n = 2; taken_.contains(plan.to); ++n) plan.to = fmt::format("{} ({})", name, n);
      if (!same_use && to_.can_create_special_use) plan.special_use = use;
    }
    taken_.insert(plan.to);
    auto* there = find_folder(to_, plan.to);
    plan.exists = there && holds_messages(*there);
    if (plan.exists) plan.special_use.clear();
    plan.subscribe = std::ranges::find(from_.subscribed, plan.from) != from_.subscribed.end() &&
                     std::ranges::find(to_.subscribed, plan.to) == to_.subscribed.end();
    return plan;
  }

 private:
  const AccountFolders& from_;
  const AccountFolders& to_;
  std::set<std::string> taken_;
};

}  // namespace

std::string_view special_use_of(const imap::ListData& folder) {
  for (auto use : kUses)
    if (folder.has(use)) return use;
  return {};
}

std::vector<FolderPlan> plan_folders(const AccountFolders& from, const AccountFolders& to,
                                     const std::vector<std::string>& exclude) {
  std::vector<const imap::ListData*> folders;
  for (auto& folder : from.folders) {
    if (!holds_messages(folder) || folder.has("\\Flagged")) continue;
    if (!excluded(folder.name, from.separator, exclude)) folders.push_back(&folder);
  }
  // Special uses before the plain folders that may bear the same name.
  auto rank = [](const imap::ListData& folder) {
    return is_inbox(folder.name) ? 0 : special_use_of(folder).empty() ? 2 : 1;
  };
  std::ranges::stable_sort(folders, [&](auto* a, auto* b) {
    return std::pair(rank(*a), std::string_view(a->name)) <
           std::pair(rank(*b), std::string_view(b->name));
  });
  auto [first, last] =
      std::ranges::unique(folders, [](auto* a, auto* b) { return a->name == b->name; });
  folders.erase(first, last);
  Planner planner(from, to);
  std::vector<FolderPlan> plans;
  for (auto* folder : folders) plans.push_back(planner.plan(*folder));
  return plans;
}

}  // namespace hikyaku::app
