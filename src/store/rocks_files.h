// RocksDB's own files, with tables that are checked when they are opened, and locks that say whose
// they are. Inside rocks_index.cc;
// rocks_environment.h does the same on simulated files.
#pragma once

#include <memory>
#include <rocksdb/env.h>

namespace hikyaku::store {

/// RocksDB's own environment, in which a table that check_table refuses cannot be opened: neither
/// by opening the index nor by anything later. A lock that another process has is Busy, and says
/// whose it is: no error of the disk. Must outlive what uses it.
std::shared_ptr<rocksdb::Env> checked_environment();

}  // namespace hikyaku::store
