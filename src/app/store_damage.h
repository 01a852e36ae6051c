// What a store knows of its own damage, as a backup of it has to tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/json.h"
#include "base/phrase.h"
#include "store/store.h"

namespace hikyaku::app {

/// Of each kind how much there is, and the first of it.
struct StoreDamage {
  std::uint64_t messages = 0;  ///< that cannot be read
  std::uint64_t segments = 0;  ///< that are missing, or lack what is to be in them
  std::string segment;
  std::uint64_t records = 0;  ///< of the journal
  std::string record;
  std::string index;                    ///< what of it cannot be read
  std::vector<std::string> files = {};  ///< that could not be copied whole: a sentence each
  /// Those of them that are there, with zeros for what could not be read: paths in the backup.
  std::vector<std::string> zeroed = {};

  bool any() const {
    return messages != 0 || segments != 0 || records != 0 || !index.empty() || !files.empty();
  }
  /// A sentence for each kind and file.
  std::vector<std::string> describe(Language language) const;
};

StoreDamage damage_of(const store::Statistics& statistics);

boost::json::object to_json(const StoreDamage& damage);
/// What is not there, or not of its type, is none.
StoreDamage damage_in(const boost::json::object& object);

}  // namespace hikyaku::app
