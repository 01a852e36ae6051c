#include "mailbox/recount_test.h"

#include <fmt/core.h>
#include <map>
#include <set>

#include "mailbox/check.h"
#include "mailbox/rows.h"

namespace hikyaku::mailbox {

std::string recount(store::MemoryTransaction& memory, AccountId account) {
  std::string problems;
  for (const auto& problem : check_account(memory, account).problems) problems += problem + "\n";
  std::map<store::BlobId, std::set<std::string>> owners;
  memory.scan(store::Key(account, kTableEmail).children(),
              [&](std::string_view key, std::string_view value) {
                EmailRow row;
                if (decode(value, row)) owners[row.blob].insert(std::string(key));
                return true;
              });
  for (const auto& [id, body] : memory.bodies())
    if (body.owners != owners[id]) problems += fmt::format("owners of body {}\n", id);
  return problems;
}

}  // namespace hikyaku::mailbox
