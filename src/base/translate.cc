#include "base/translate.h"

#include <array>
#include <optional>

namespace hikyaku {
namespace {

using Tables = std::span<const std::span<const Phrase>>;

constexpr std::size_t kLongest = 500;
constexpr std::size_t kMostArguments = 4;
/// A phrase in a phrase in a phrase: "ARC-Seal i=2: there is no key x: the name does not exist".
constexpr int kDeepest = 4;

using Arguments = std::array<std::string_view, kMostArguments>;

/// What stands in the places of `pattern`, which are all "{}".
std::optional<Arguments> match(std::string_view text, std::string_view pattern) {
  Arguments arguments;
  std::size_t count = 0;
  auto place = pattern.find("{}");
  if (!text.starts_with(pattern.substr(0, place))) return std::nullopt;
  text.remove_prefix(std::min(place, pattern.size()));
  while (place != std::string_view::npos) {
    pattern.remove_prefix(place + 2);
    place = pattern.find("{}");
    auto literal = pattern.substr(0, place);
    auto last = place == std::string_view::npos;
    // The last piece ends the text; the others stand where they are met first.
    auto end = last ? (text.ends_with(literal) ? text.size() - literal.size() : text.npos)
                    : text.find(literal);
    if (end == text.npos || count == kMostArguments) return std::nullopt;
    arguments[count++] = text.substr(0, end);
    text.remove_prefix(end + literal.size());
  }
  if (count == 0 && text.size() != 0) return std::nullopt;
  return arguments;
}

std::optional<std::string> find(std::string_view text, Tables tables, Language language,
                                int depth) {
  if (depth == kDeepest) return std::nullopt;
  for (auto& table : tables) {
    for (auto& phrase : table) {
      auto found = match(text, phrase.en);
      if (!found) continue;
      std::array<std::string, kMostArguments> words;
      for (std::size_t i = 0; i < words.size(); ++i)
        words[i] =
            find((*found)[i], tables, language, depth + 1).value_or(std::string((*found)[i]));
      return say(language, phrase, words[0], words[1], words[2], words[3]);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string translate(std::string_view text, Tables tables, Language language) {
  if (language == Language::English || text.empty() || text.size() > kLongest)
    return std::string(text);
  if (auto whole = find(text, tables, language, 0)) return *whole;
  for (std::string_view mark : {"; ", ", "}) {
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) {
      auto first = find(text.substr(0, at), tables, language, 0);
      if (!first) continue;
      // At most as many rounds as there are marks in what is left.
      return *first + std::string(mark) +
             translate(text.substr(at + mark.size()), tables, language);
    }
  }
  return std::string(text);
}

}  // namespace hikyaku
