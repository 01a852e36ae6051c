// The inside of a View. mailbox/'s own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mailbox/view.h"

namespace hikyaku::mailbox {

inline constexpr std::size_t kBlockRows = 512;

struct View::Block {
  std::vector<MessageSummary> rows;  ///< by UID, at most kBlockRows, never empty
};

struct View::Parts {
  std::vector<std::shared_ptr<const Block>> blocks;
  std::vector<std::size_t> starts;  ///< the first row of each block
  std::size_t size = 0;
  ChangeNumber change = 0;          ///< the mailbox's highest
  ChangeNumber account_change = 0;  ///< the account's last when this was read
  Uid uid_next = 1;
  std::uint32_t uid_validity = 0;
  std::shared_ptr<const std::vector<std::string>> keywords;
};

/// What is read of a mailbox beside its messages.
struct MailboxState {
  Counters counters;
  std::uint32_t uid_validity = 0;
  ChangeNumber account_change = 0;
  std::vector<std::string> keywords;
};
/// nullopt when it is gone or cannot hold messages.
std::optional<MailboxState> read_state(store::Reader& reader, AccountId account, MailboxId mailbox);

/// Makes a view of rows that come in UID order.
class ViewBuilder {
 public:
  void add(const MessageSummary& row);
  /// A whole block as it is.
  void add(std::shared_ptr<const View::Block> block);
  std::shared_ptr<const View> finish(const MailboxState& state);

 private:
  void close_block();

  View::Parts parts_;
  std::vector<MessageSummary> open_;
};

}  // namespace hikyaku::mailbox
