// Which folder of one account becomes which of another: separators, namespaces, special uses. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "imap/response_data.h"

namespace hikyaku::app {

/// The folders of one account, as its server lists them (names decoded).
struct AccountFolders {
  std::vector<imap::ListData> folders = {};
  std::vector<std::string> subscribed = {};  ///< names
  std::string prefix = {};                   ///< of the personal namespace: "INBOX.", or empty
  std::optional<char> separator = {};
  bool can_create_special_use = false;
};

/// One folder to be copied.
struct FolderPlan {
  std::string from;
  std::string to;           ///< empty: its name has no level that could be a name there
  bool exists = false;      ///< `to` is there already
  std::string special_use;  ///< to create it with ("\Sent"), or empty
  bool subscribe = false;   ///< it is subscribed there, and not here
};

/// Every folder that holds messages, INBOX first, the others by name. A special use (RFC 6154) goes
/// before the name: what is \Sent there comes into what is \Sent here. Two never become one. Left
/// out: \Flagged (all of it stands elsewhere too), and those of `exclude` with what is below them.
std::vector<FolderPlan> plan_folders(const AccountFolders& from, const AccountFolders& to,
                                     const std::vector<std::string>& exclude = {});

/// The special use in a folder's attributes that another account can have too ("\Sent"), or "".
std::string_view special_use_of(const imap::ListData& folder);

}  // namespace hikyaku::app
