#include "base/phrase.h"

namespace hikyaku {

Language language_of(std::string_view locale) {
  auto tag = locale.substr(0, 2);
  auto whole = locale.size() == 2 ||
               (locale.size() > 2 && (locale[2] == '_' || locale[2] == '-' || locale[2] == '.'));
  return whole && (tag == "ja" || tag == "JA") ? Language::Japanese : Language::English;
}

}  // namespace hikyaku
