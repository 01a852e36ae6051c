// What people know a message by.
#pragma once

#include <string>
#include <string_view>

namespace hikyaku::app {

/// The value of the first field of this name among raw header fields, decoded; "" if there is none.
std::string header_value(std::string_view fields, std::string_view name);

}  // namespace hikyaku::app
