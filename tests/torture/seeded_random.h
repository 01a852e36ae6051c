// What is random to the store (the ids of store and segments, which stand in every record) follows
// from the seed here, so that two runs write the same bytes.
#pragma once

#include <cstdint>

namespace hikyaku::torture {

/// From here on everything that asks the system for random bytes gets those of this seed.
void seed_system_random(std::uint64_t seed);

}  // namespace hikyaku::torture
