// Counts everything in an account again by brute force and compares it with what the rows say. For
// tests.
#pragma once

#include <string>

#include "mailbox/types.h"
#include "store/memory_transaction.h"

namespace hikyaku::mailbox {

/// What is wrong, one line each; "" if all is well.
std::string recount(store::MemoryTransaction& memory, AccountId account);

}  // namespace hikyaku::mailbox
