// Sequence sets: what is written means what was read; set operations agree with one another.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "imap/sequence_set.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::imap;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto cut = text.find('/');
  auto set = SequenceSet::parse(text.substr(0, cut), 1'000);
  if (!set) return 0;
  auto again = SequenceSet::parse(set->to_string());
  if (!set->is_saved_result() || set->to_string() != "$") {
    if (!set->to_string().empty() && (!again || !(*again == *set))) std::abort();
  }
  auto numbers = set->resolve(1'000);
  std::uint32_t last = 0;
  for (auto& range : numbers.ranges()) {
    if (range.first > range.last || (last != 0 && range.first <= last + 1)) std::abort();
    last = range.last;
    if (!numbers.contains(range.first) || !numbers.contains(range.last)) std::abort();
  }
  if (cut == std::string_view::npos) return 0;
  auto other_set = SequenceSet::parse(text.substr(cut + 1), 1'000);
  if (!other_set) return 0;
  auto other = other_set->resolve(1'000);
  auto both = numbers.intersection(other);
  auto left = numbers.without(other);
  if (both.count() + left.count() != numbers.count()) std::abort();
  if (!both.intersection(left).empty() || !(both == other.intersection(numbers))) std::abort();
  for (auto& range : left.ranges()) both.add(range.first, range.last);
  if (!(both == numbers)) std::abort();
  return 0;
}
