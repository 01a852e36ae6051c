// The inside of a StagedBlob: what every kind of store keeps of a staged body. Stores derive from
// it.
#pragma once

#include <cstdint>
#include <string>

#include "store/store.h"

namespace hikyaku::store {

struct StagedBlob::State {
  virtual ~State() = default;
  std::uint64_t size = 0;
  std::string sha256;  ///< 32 bytes
};

}  // namespace hikyaku::store
