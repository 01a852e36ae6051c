#include "testing/source_tree.h"

namespace hikyaku::testing {

std::filesystem::path source_tree() {
  return HIKYAKU_SOURCE_DIR;
}

}  // namespace hikyaku::testing
