#include "config/units.h"

#include <fmt/core.h>

#include "base/text.h"

namespace hikyaku::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};
constexpr Unit kUnits[] = {{"TB", kTB}, {"GB", kGB}, {"MB", kMB}, {"KB", kKB}, {"B", 1}};

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
  auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  auto unit = trim_space(text.substr(digits.size()));
  std::uint64_t size = 1;
  if (!unit.empty()) {
    size = 0;
    for (auto& known : kUnits) {
      // "MB", "M" and "MiB" are the same thing here.
      auto letter = known.name.substr(0, 1);
      auto binary = std::string(letter) + "iB";
      if (iequals(unit, known.name) || iequals(unit, letter) ||
          (known.size > 1 && iequals(unit, binary)))
        size = known.size;
    }
    if (size == 0) return std::nullopt;
  }
  auto number = parse_decimal(digits, static_cast<std::uint64_t>(INT64_MAX) / size);
  if (!number) return std::nullopt;
  return Bytes{*number * size};
}

std::string format_bytes(Bytes size) {
  for (auto& unit : kUnits)
    if (size.count >= unit.size && size.count % unit.size == 0)
      return fmt::format("{}{}", size.count / unit.size, unit.name);
  return "0";
}

}  // namespace hikyaku::config
