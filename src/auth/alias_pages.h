// The aliases piece by piece, for reads that are bounded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "auth/directory.h"
#include "store/store.h"

namespace hikyaku::auth {

struct AliasPage {
  std::vector<Alias> aliases;
  std::string next;  ///< where the next page begins; empty: this was the last
};

/// Those among the next `rows` addresses from `from` on (empty: from the first), by domain and
/// local part. Each page is of its own moment.
AliasPage list_alias_page(store::Reader& reader, std::string_view from, std::size_t rows);

}  // namespace hikyaku::auth
