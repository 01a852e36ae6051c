// Opening the index at a start; one that is damaged is put aside and made again.
#pragma once

#include <memory>

#include "base/result.h"
#include "store/damage.h"
#include "store/index.h"
#include "store/open.h"
#include "store/segments.h"

namespace hikyaku::store {

/// For an index that is opened next: what cannot be read of it is marked on the disk, unless it is
/// opened for reading alone. `files` must outlive it.
std::shared_ptr<IndexDamage> watch_index(const Options& options, FileSystem& files);

/// Opens the index of `options.directory`, as options.open_index says if it says anything. One that
/// cannot be opened is put aside and made again, which is logged: a power loss, or a full disk, may
/// tear RocksDB's list of its files. It begins with the copy that reclaiming keeps, which has what
/// was removed from the journal, or with nothing, if the journal holds every group since the first.
/// So is one that is marked as damaged, if something leads to all that it has (index_source.h);
/// otherwise it stays. `damage` knows what is damaged of the one that is opened.
/// Corrupt: it is damaged and there is nothing to make it from. Conflict, Io, NoSpace. Blocks.
Result<std::unique_ptr<Index>> open_index(const Options& options, FileSystem& files,
                                          Segments& segments, std::shared_ptr<IndexDamage>& damage);

}  // namespace hikyaku::store
