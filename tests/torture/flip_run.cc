#include "runs.h"
#include "world.h"

namespace hikyaku::torture {

RunReport flip_run(std::uint64_t) {
  return {};
}

}  // namespace hikyaku::torture
