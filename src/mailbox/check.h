// Counts everything in an account again and compares it with what the rows say; and what to write
// so that they say it. For `hikyaku verify`, and for tests after every operation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "mailbox/messages.h"
#include "store/row_findings.h"

namespace hikyaku::mailbox {

/// A message that is there no more, or not whole.
struct LostMessage {
  std::string path;  ///< of its mailbox
  MailboxId mailbox = 0;
  Uid uid = 0;
  std::uint64_t size = 0;
  Time received{};
  std::string fields;  ///< raw header fields, as far as they are known (Digest::header_fields)
  std::string reason;
};

/// An owner of a body that is missing, or one too many.
struct OwnerFix {
  store::BlobId blob = 0;
  std::string owner;
  bool owns = true;
};

/// Messages that cannot be made right again are dropped by `rows`, and are in `lost`.
struct AccountReport : store::RowFindings {
  std::uint64_t messages = 0;
  std::uint64_t digests = 0;  ///< compared with a fresh parse
  std::vector<OwnerFix> owners;
  std::vector<LostMessage> lost;
  /// Messages whose bodies cannot be read: they will be expunged.
  std::vector<LostMessage> unreadable;
};

enum class Owners {
  Look,   ///< every email owns its body
  Leave,  ///< for key spaces that keep no rows of owners
};

/// Every row of the account: names, counters, messages, emails, threads, usage, roles; numbers that
/// would be given out again. Reads all rows: for a store that nobody uses, or a small account.
AccountReport check_account(store::Reader& reader, AccountId account,
                            Owners owners = Owners::Leave);

/// Reads every message and compares what is stored of it with a fresh parse; adds to `report` what
/// is wrong.
Task<void> check_messages(store::Store& store, AccountId account, AccountReport& report);

/// Writes what `report` says; the account is right then as far as it can be, which a new check
/// tells (one repair may show the next). Nobody else uses the account.
Task<Result<void>> repair_account(store::Store& store, const Clock& clock, AccountId account,
                                  const AccountReport& report);

/// Whether the account's own row is there and can be read. Without it nothing is written for the
/// account, and what a check says of it is of no use.
bool has_account_row(store::Reader& reader, AccountId account);
/// Makes it again: its numbers begin as those of an account that is made now.
void make_account_row(store::Transaction& tx, AccountId account, Time now);

/// Every account that has rows, ascending.
std::vector<AccountId> list_accounts(store::Reader& reader);

/// Forgets a deleted message: it cannot be brought back any more.
void forget_expunged(store::Transaction& tx, AccountId account, const ExpungedMessage& message);

}  // namespace hikyaku::mailbox
