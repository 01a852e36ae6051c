// The version of the rows that those above the store keep in it: a newer one is refused.
#pragma once

#include "base/result.h"
#include "store/index.h"
#include "store/log.h"
#include "store/open.h"

namespace hikyaku::store {

/// Unsupported: what the index holds was written by a newer version than options.schema.
Result<void> check_schema(const IndexView& view, const Options& options);
/// The same of a group that is read back: the first that a newer version wrote says so.
Result<void> check_schema(const GroupRecord& group, const Options& options);

}  // namespace hikyaku::store
