#include "app/verb.h"

#include "base/text.h"

namespace hikyaku::app {

std::optional<std::string> Invocation::value(std::string_view option) const {
  auto found = options_.find(option);
  if (found == options_.end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Invocation::values(std::string_view option) const {
  auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

std::int64_t Invocation::number(std::string_view option, std::int64_t fallback) const {
  auto text = value(option);
  if (!text) return fallback;
  auto number = parse_decimal(*text, INT64_MAX);  // the parser has checked its form and range
  return number ? static_cast<std::int64_t>(*number) : fallback;
}

void Invocation::add_option(std::string_view name, std::string value) {
  options_[std::string(name)].push_back(std::move(value));
}

}  // namespace hikyaku::app
