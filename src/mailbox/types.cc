#include "mailbox/types.h"

#include <array>

#include "base/text.h"

namespace hikyaku::mailbox {

namespace {

struct RoleNames {
  Role role;
  std::string_view name;
  std::string_view special_use;
};
constexpr std::array<RoleNames, 10> kRoles = {{
    {Role::None, "", ""},
    {Role::Inbox, "inbox", ""},
    {Role::Archive, "archive", "\\Archive"},
    {Role::Drafts, "drafts", "\\Drafts"},
    {Role::Flagged, "flagged", "\\Flagged"},
    {Role::Junk, "junk", "\\Junk"},
    {Role::Sent, "sent", "\\Sent"},
    {Role::Trash, "trash", "\\Trash"},
    {Role::All, "all", "\\All"},
    {Role::Important, "important", "\\Important"},
}};

}  // namespace

std::string_view to_string(Role role) {
  return kRoles[static_cast<std::size_t>(role)].name;
}

std::string_view special_use(Role role) {
  return kRoles[static_cast<std::size_t>(role)].special_use;
}

Role role_of_special_use(std::string_view attribute) {
  for (const auto& names : kRoles)
    if (!names.special_use.empty() && iequals(names.special_use, attribute)) return names.role;
  return Role::None;
}

}  // namespace hikyaku::mailbox
