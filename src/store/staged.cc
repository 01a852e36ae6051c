#include "store/staged.h"

namespace hikyaku::store {

std::uint64_t StagedBlob::size() const {
  return state_ ? state_->size : 0;
}

const std::string& StagedBlob::sha256() const {
  static const std::string none;
  return state_ ? state_->sha256 : none;
}

}  // namespace hikyaku::store
