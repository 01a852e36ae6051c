// Whether the rows of the directory fit together, and what to write so that they do: for `hikyaku
// verify`. A repair that goes over damage may have lost any of them.
#pragma once

#include <string>
#include <vector>

#include "auth/directory.h"
#include "base/time.h"
#include "store/row_findings.h"
#include "store/store.h"

namespace hikyaku::auth {

struct DirectoryReport : store::RowFindings {
  /// Addresses of accounts that `rows` make again. They are enabled, for a disabled one refuses its
  /// mail for good; whoever runs the server is to be told, for they may have been disabled.
  std::vector<std::string> made_again;
  /// Accounts that have mailboxes, and to which nothing gives an address again: recover_account().
  /// Ascending.
  std::vector<AccountId> without_address;
};

/// What one row says and another has lost is derived; the number of an account that was given out,
/// as far as anything names it, is not given out again. `highest_named`: the highest number that is
/// named outside of the directory and of the accounts' own rows.
DirectoryReport check_directory(store::Reader& reader, AccountId highest_named, Time now);

/// Writes what `report` says.
void repair_directory(store::Transaction& tx, const DirectoryReport& report);

}  // namespace hikyaku::auth
