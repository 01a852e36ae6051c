// Opening the index at a start; one that is damaged is put aside and made again.
#pragma once

#include <memory>

#include "base/result.h"
#include "store/index.h"
#include "store/open.h"
#include "store/segments.h"

namespace hikyaku::store {

/// Opens the index of `options.directory`, as options.open_index says if it says anything. One that
/// cannot be opened is put aside and made again, which is logged: a power loss, or a full disk, may
/// tear RocksDB's list of its files. It begins with the copy that reclaiming keeps, which has what
/// was removed from the journal, or with nothing, if the journal holds every group since the first.
/// Corrupt: it is damaged and there is nothing to make it from. Conflict, Io, NoSpace. Blocks.
Result<std::unique_ptr<Index>> open_index(const Options& options, FileSystem& files,
                                          Segments& segments);

}  // namespace hikyaku::store
