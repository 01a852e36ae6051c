// The mail of one account in a backup, message by message.
#pragma once

#include <memory>

#include "app/backup_files.h"
#include "app/mail_files.h"

namespace hikyaku::app {

/// Messages of a backup. One that cannot be read whole is left out.
class BackupMailSource : public MailSource {
 public:
  /// Those that were left out so far, with the reason.
  virtual const std::vector<std::string>& lost() const = 0;
};

/// Opens the store of a backup without changing anything in it, and gives the account's messages,
/// of all mailboxes or of `mailbox` and those below it. NotFound: no such account or mailbox there;
/// Corrupt, Unsupported.
Result<std::unique_ptr<BackupMailSource>> open_backup_mail(const BackupInfo& backup,
                                                           const std::string& address,
                                                           const std::string& mailbox);

}  // namespace hikyaku::app
