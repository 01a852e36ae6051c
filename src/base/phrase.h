// Texts for people, in the languages we speak. Logs, protocol replies and option names stay
// English.
#pragma once

#include <fmt/core.h>
#include <string>
#include <string_view>

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

/// The phrase with its {} filled in. Arguments may be reordered in a language with {0}, {1}.
template <class... Args>
std::string say(Language language, const Phrase& phrase, const Args&... args) {
  return fmt::format(fmt::runtime(phrase.in(language)), args...);
}

}  // namespace hikyaku
