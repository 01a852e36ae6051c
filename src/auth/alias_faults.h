// Aliases that do not lead where they should: to addresses of ours that nobody has, or in circles.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "store/store.h"

namespace hikyaku::auth {

struct AliasFault {
  enum class What {
    Nobody,    ///< `target` is in one of our domains, and nobody has it
    CatchAll,  ///< so is `target`, the catch-all of the domain `address`
    Circle,    ///< `address` gets back to itself by way of `target`
  };
  What what{};
  std::string address;
  std::string target;
  /// Circle: the way round, "a@x.test -> b@x.test -> a@x.test"; of a long one "…" in the middle.
  std::string way;
  /// Somebody gets the mail for `address` all the same.
  bool delivered = false;
};

/// All of them, in order of what, address and target; each circle once. One pass over the aliases,
/// in pieces: others go on meanwhile, and what they change may be seen or not. `delimiters`: as for
/// resolve(). `store` must outlive it.
Task<std::vector<AliasFault>> find_alias_faults(store::Store& store, std::string delimiters);

/// The circle that the alias `address` is in, as AliasFault::Circle has it. Looks at a thousand
/// aliases at most, as resolve() does.
std::optional<AliasFault> find_circle(store::Reader& reader, std::string_view address,
                                      std::string_view delimiters);

}  // namespace hikyaku::auth
