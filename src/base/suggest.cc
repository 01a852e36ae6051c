#include "base/suggest.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace hikyaku {
namespace {

constexpr std::size_t kLongest = 64;
using Row = std::array<int, kLongest + 1>;

}  // namespace

int edit_distance(std::string_view a, std::string_view b, int limit) {
  if (a.size() > kLongest || b.size() > kLongest) return limit + 1;
  // Optimal string alignment: three rows of the table are enough.
  Row before{}, above{}, row{};
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto x = ascii_lower(a[i - 1]), y = ascii_lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)});
      if (i > 1 && j > 1 && x == ascii_lower(b[j - 2]) && ascii_lower(a[i - 2]) == y)
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = above;
    above = row;
  }
  return std::min(above[b.size()], limit + 1);
}

std::string_view closest(std::string_view word, std::span<const std::string_view> candidates) {
  auto limit = std::max(1, static_cast<int>(word.size()) / 3);
  std::string_view best;
  auto best_distance = limit + 1;
  for (auto candidate : candidates) {
    auto distance = edit_distance(word, candidate, limit);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  // A word of two letters is one mistake away from half of the language.
  if (!best.empty() && (word.size() > 2 || best_distance == 0)) return best;

  std::string_view only;
  for (auto candidate : candidates) {
    if (word.size() < 2 || !istarts_with(candidate, word)) continue;
    if (!only.empty()) return {};
    only = candidate;
  }
  return only;
}

}  // namespace hikyaku
