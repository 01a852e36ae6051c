// Incremental parsers must not care where the network cuts their input.
#pragma once

#include <string_view>

namespace hikyaku::testing {

/// Calls `check(first, second)` for every place where `input` can be cut in two (both ends
/// included). Use it with a lambda that feeds both pieces to a fresh parser and compares the
/// outcome with that of the whole.
template <class Check>
void every_split(std::string_view input, Check check) {
  for (std::size_t cut = 0; cut <= input.size(); ++cut)
    check(input.substr(0, cut), input.substr(cut));
}

}  // namespace hikyaku::testing
