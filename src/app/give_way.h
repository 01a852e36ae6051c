// Who gives way when connections hold nearly all the memory that they may (limits.memory).
#pragma once

#include <cstdint>
#include <vector>

#include "app/sessions.h"

namespace hikyaku::app {

/// What is to be had back, and by what measure.
struct Shortage {
  std::uint64_t bytes = 0;  ///< so much is to come free
  std::uint64_t fair = 0;   ///< what the strangers of one network (Admission's) may hold together
  bool urgent = false;      ///< nobody else can be let in
};

/// The ids of sessions to end, sorted. Only of peers that have not logged in: first of the network
/// that holds most, while that is more than its fair share; then of all who say nothing for some
/// seconds; when it is urgent, also those whose command goes on for a minute. Each time the one
/// that was silent for longest. Fewer than needed, when there are no such.
std::vector<std::uint64_t> choose_to_give_way(const std::vector<SessionFacts>& all,
                                              Shortage shortage);

}  // namespace hikyaku::app
