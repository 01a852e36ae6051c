// What `hikyaku check` has found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/phrase.h"

namespace hikyaku::app {

enum class Level { Good, Note, Problem };

struct Finding {
  Level level = Level::Good;
  std::string_view area;  ///< "dns", "certificate", …: a literal
  std::string text;
};

/// In the order in which it was found.
class Findings {
 public:
  explicit Findings(Language language) : language_(language) {}

  template <class... Args>
  void add(Level level, std::string_view area, const Phrase& phrase, const Args&... args) {
    all_.push_back({level, area, say(language_, phrase, args...)});
  }
  /// In words that somebody else has found.
  void add(Level level, std::string_view area, std::string text) {
    all_.push_back({level, area, std::move(text)});
  }

  Language language() const { return language_; }
  const std::vector<Finding>& all() const { return all_; }
  std::size_t count(Level level) const {
    return static_cast<std::size_t>(std::ranges::count(all_, level, &Finding::level));
  }

 private:
  Language language_;
  std::vector<Finding> all_;
};

}  // namespace hikyaku::app
