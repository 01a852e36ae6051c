#include "base/phrase.h"

#include <algorithm>

namespace hikyaku {

Language language_of(std::string_view locale) {
  auto tag = locale.substr(0, 2);
  auto whole = locale.size() == 2 ||
               (locale.size() > 2 && (locale[2] == '_' || locale[2] == '-' || locale[2] == '.'));
  return whole && (tag == "ja" || tag == "JA") ? Language::Japanese : Language::English;
}

Count count_of(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789,") != text.npos) return Count::NoNumber;
  return text == "1" ? Count::One : Count::Many;
}

std::string choose_forms(std::string_view pattern, std::initializer_list<Count> counts) {
  std::string out;
  auto latest = Count::Many;
  std::size_t next = 0;  // argument of the next {}
  while (true) {
    auto plain = std::min(pattern.find_first_of("{["), pattern.size());
    out += pattern.substr(0, plain);
    pattern.remove_prefix(plain);
    if (pattern.empty()) return out;
    auto end = pattern.find(pattern.front() == '{' ? '}' : ']');
    if (end == pattern.npos) return out.append(pattern);
    auto inside = pattern.substr(1, end - 1);
    auto bar = inside.find('|');
    if (pattern.front() == '{') {
      bool named = !inside.empty() && inside.front() >= '0' && inside.front() <= '9';
      auto index = named ? static_cast<std::size_t>(inside.front() - '0') : next++;
      auto count = index < counts.size() ? counts.begin()[index] : Count::NoNumber;
      if (count != Count::NoNumber) latest = count;
      out += pattern.substr(0, end + 1);
    } else if (bar != inside.npos) {
      out += latest == Count::One ? inside.substr(0, bar) : inside.substr(bar + 1);
    } else {
      out += pattern.substr(0, end + 1);
    }
    pattern.remove_prefix(end + 1);
  }
}

}  // namespace hikyaku
