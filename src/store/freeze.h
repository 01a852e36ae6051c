// The state of a store while it is copied: which files it is made of, and how much of each.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/file_system.h"
#include "store/index.h"
#include "store/segments.h"
#include "store/store.h"

namespace hikyaku::store {

/// What is frozen. All but the number outlives what is made of it.
struct FreezeContext {
  FileSystem& files;
  const std::string& directory;  ///< the store's
  Segments& segments;
  Index& index;
  unsigned number = 0;  ///< names the directory of the index's files: one that none had before
};

/// The files of the newest state. A segment that is damaged is among them, one that is missing is
/// not. `reclaiming` is what keeps the segments where they are; it is
/// given back, and the index's files removed, when the last copy of the result goes.
/// Corrupt, Io, NoSpace. Blocks.
Result<std::shared_ptr<const Frozen>> freeze_files(FreezeContext context,
                                                   std::shared_ptr<void> reclaiming);

}  // namespace hikyaku::store
