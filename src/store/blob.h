// Reading bodies.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "store/damage.h"
#include "store/record.h"
#include "store/rows.h"
#include "store/segments.h"
#include "store/staging.h"
#include "store/store.h"

namespace hikyaku::store {

/// What reading bodies needs; who has one open may outlive the first two.
struct BodySource {
  Segments& segments;
  WorkerPool& workers;
  std::shared_ptr<UnreadableBodies> unreadable;  ///< told of what breaks while it is read
};

/// What the rows of bodies say about their places; nothing for those that have none. With
/// neighbours in a row it is cheaper than asking for each.
std::vector<std::optional<std::string>> find_place_rows(Reader& reader,
                                                        const std::vector<BlobId>& blobs);

/// Opens the body at `place`, which is `body`'s. Bytes that are in memory are read at once, others
/// on a worker. Corrupt, Io.
Task<Result<std::unique_ptr<Blob>>> open_body(BodySource source, BlobId body, BodyPlace place);

/// A body's number and where it is.
struct PlacedBody {
  BlobId id = 0;
  BodyPlace place;
};
/// The same for many, in their order: neighbours in a segment are read at once.
Task<std::vector<Result<std::unique_ptr<Blob>>>> open_bodies(BodySource source,
                                                             std::vector<PlacedBody> bodies);

/// A body whose bytes are still in memory.
std::unique_ptr<Blob> open_in_memory(const StagedBody& state, std::shared_ptr<StagedFrames> frames);

/// Reads and checks the header of a body. Blocks.
Result<BodyHeader> read_body_header(const Segment& segment, const BodyPlace& place);

}  // namespace hikyaku::store
