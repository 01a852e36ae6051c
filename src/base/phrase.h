// Texts for people, in the languages we speak. Logs, protocol replies and option names stay
// English.
#pragma once

#include <fmt/core.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace hikyaku {

enum class Language { English, Japanese };

/// The language of a `--lang` value or of a LANG such as "ja_JP.UTF-8"; English for anything else.
Language language_of(std::string_view locale);

/// One text in every language, written side by side where it is used, so that none can be
/// forgotten:
///
///     constexpr Phrase kListening{"listening on {}", "{} で待ち受けています"};
///     say(language, kListening, address)
struct Phrase {
  std::string_view en;
  std::string_view ja;

  constexpr std::string_view in(Language language) const {
    return language == Language::Japanese ? ja : en;
  }
};

/// Whether an argument is a number that words may follow: 1, "1", 1234, "1,234".
enum class Count { NoNumber, One, Many };
Count count_of(std::string_view text);
template <class Arg>
Count count_of_argument(const Arg& arg) {
  if constexpr (std::is_convertible_v<const Arg&, std::string_view>)
    return count_of(std::string_view(arg));
  else if constexpr (std::is_integral_v<Arg> && !std::is_same_v<Arg, bool>)
    return arg == Arg(1) ? Count::One : Count::Many;
  else
    return Count::NoNumber;
}
/// `pattern` with one form of each "[one|many]": the first where the nearest number before it is 1.
/// (A bracket without a bar is left alone.)
std::string choose_forms(std::string_view pattern, std::initializer_list<Count> counts);

/// The phrase with its {} filled in. Arguments may be reordered in a language with {0}, {1}. Words
/// that depend on a number are written in both forms: "{} [message is|messages are] lost".
template <class... Args>
std::string say(Language language, const Phrase& phrase, const Args&... args) {
  auto pattern = phrase.in(language);
  if (!pattern.contains('|')) return fmt::format(fmt::runtime(pattern), args...);
  return fmt::format(fmt::runtime(choose_forms(pattern, {count_of_argument(args)...})), args...);
}

}  // namespace hikyaku
