// Ties a row of the option table to a member of Config: its type, how it is put in and read out.
#pragma once

#include <type_traits>

#include "config/options.h"

namespace hikyaku::config {

/// The place of T among the types of Value.
template <class T, std::size_t i = 0>
constexpr std::size_t place_in_value() {
  if constexpr (std::is_same_v<T, std::variant_alternative_t<i, Value>>)
    return i;
  else
    return place_in_value<T, i + 1>();
}

/// The type of the option whose member in Config is a Field.
template <class Field>
constexpr Kind kind_of() {
  if constexpr (std::is_same_v<Field, bool>)
    return Kind::Boolean;
  else if constexpr (std::is_enum_v<Field>)
    return Kind::Choice;
  else if constexpr (std::is_integral_v<Field>)
    return Kind::Integer;
  else
    return static_cast<Kind>(place_in_value<Field>());
}

/// `row` bound to Config::SECTION.MEMBER; used as bind<&Config::smtp, &Config::Smtp::timeout>({…}).
template <auto kSection, auto kMember>
constexpr Option bind(Option row) {
  using Field = std::remove_cvref_t<decltype(std::declval<Config>().*kSection.*kMember)>;
  row.kind = kind_of<Field>();
  row.put = [](Config& config, Value value) {
    auto& field = config.*kSection.*kMember;
    if constexpr (std::is_same_v<Field, bool>)
      field = std::get<bool>(value);
    else if constexpr (std::is_enum_v<Field>)
      field = static_cast<Field>(std::get<Choice>(value).index);
    else if constexpr (std::is_integral_v<Field>)
      field = static_cast<Field>(std::get<std::int64_t>(value));  // in range: Option::most
    else
      field = std::get<Field>(std::move(value));
  };
  row.get = [](const Config& config) -> Value {
    auto& field = config.*kSection.*kMember;
    if constexpr (std::is_same_v<Field, bool>)
      return field;
    else if constexpr (std::is_enum_v<Field>)
      return Choice{static_cast<std::size_t>(field)};
    else if constexpr (std::is_integral_v<Field>)
      return static_cast<std::int64_t>(field);
    else
      return field;
  };
  return row;
}

}  // namespace hikyaku::config
