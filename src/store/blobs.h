// Opening many bodies at once.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "store/store.h"

namespace hikyaku::store {

using OpenedBlobs = std::vector<Result<std::unique_ptr<Blob>>>;

/// A store that has a quicker way than opening one body after the other.
class ManyBlobs {
 public:
  virtual ~ManyBlobs() = default;
  /// See the function of this name.
  virtual Task<OpenedBlobs> open_blobs(std::vector<BlobId> blobs) = 0;
};

/// Opens each as Store::open_blob() does, and gives them in the same order. In a store on disk
/// their places are looked up in one read, and those that lie next to each other in the journal are
/// read at once. Small bodies are in memory from then on: the caller bounds their number and size.
inline Task<OpenedBlobs> open_blobs(Store& store, std::vector<BlobId> blobs) {
  auto* many = blobs.size() > 1 ? dynamic_cast<ManyBlobs*>(&store) : nullptr;
  if (many) co_return co_await many->open_blobs(std::move(blobs));
  OpenedBlobs opened;
  for (auto blob : blobs) opened.push_back(co_await store.open_blob(blob));
  co_return opened;
}

}  // namespace hikyaku::store
