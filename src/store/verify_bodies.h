// Checking the bodies of a store: each with its bytes, and the rows about them.
#pragma once

#include "store/index.h"
#include "store/overlay.h"
#include "store/segments.h"
#include "store/verify_findings.h"

namespace hikyaku::store {

/// Every body with its bytes; owners have bodies, bodies have owners or wait for reclaiming, and
/// segments are counted right. Gives the rows that mend
/// what is wrong about rows; none unless that is wanted (VerifyOptions::repair). Io. Blocks, reads
/// everything.
Result<Overlay> check_bodies(Index& index, Segments& segments, const Clock& clock,
                             Findings& findings);

}  // namespace hikyaku::store
