// Comparison whose duration tells nothing about the contents.
#pragma once

#include <string_view>

namespace hikyaku::crypto {

/// Equal bytes? Takes as long for a difference in the first byte as for one in the last; a
/// difference in length is seen at once.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace hikyaku::crypto
