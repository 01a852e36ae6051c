// Work on a worker that reads the index.
#pragma once

#include <type_traits>
#include <utility>

#include "base/async.h"
#include "store/index.h"

namespace hikyaku::store {

/// Runs `work`, which gives a Result, on a worker, as run_on does. An index that cannot be read
/// (IndexError) becomes the result: Corrupt.
template <class Work>
auto run_reading(WorkerPool& pool, Work work) -> Task<std::invoke_result_t<Work&>> {
  return run_on(pool, [work = std::move(work)]() mutable -> std::invoke_result_t<Work&> {
    try {
      return work();
    } catch (const IndexError& error) {
      return fail(ErrorCode::Corrupt, "the index cannot be read: {}", error.what());
    }
  });
}

}  // namespace hikyaku::store
