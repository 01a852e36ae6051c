#include "base/translate.h"

#include <array>
#include <doctest/doctest.h>

namespace hikyaku {
namespace {

TEST_CASE("sentences are found again in the tables") {
  static constexpr Phrase kOne[] = {{"the key {} is lost", "鍵 {} がない"},
                                    {"the body was changed", "本文が変わった"},
                                    {"{} bytes, not {}", "{1} でなく {0} バイト"}};
  static constexpr Phrase kOther[] = {{"ARC i={}: {}", "ARC i={}: {}"},
                                      {"no answer, or a late one", "応答なし"}};
  const std::array<std::span<const Phrase>, 2> tables{kOne, kOther};
  struct Case {
    std::string_view text, expected;
  };
  for (auto& c : {
           Case{"the body was changed", "本文が変わった"},
           Case{"the body was changed by x", "the body was changed by x"},
           Case{"the key  is lost", "鍵  がない"},
           Case{"the key a.b is lost", "鍵 a.b がない"},
           Case{"the key is lost", "the key is lost"},  // not even an empty place
           Case{"5 bytes, not 7", "7 でなく 5 バイト"},
           Case{"ARC i=2: the body was changed", "ARC i=2: 本文が変わった"},
           Case{"ARC i=2: ARC i=1: something else", "ARC i=2: ARC i=1: something else"},
           Case{"the body was changed; the key x is lost", "本文が変わった; 鍵 x がない"},
           Case{"the body was changed, no answer, or a late one", "本文が変わった, 応答なし"},
           Case{"the body was changed; the key x is lo…", "本文が変わった; the key x is lo…"},
           Case{"", ""},
       }) {
    CAPTURE(c.text);
    CHECK(translate(c.text, tables, Language::Japanese) == c.expected);
    CHECK(translate(c.text, tables, Language::English) == c.text);
  }
  auto deep = std::string();
  for (int i = 0; i < 100; ++i) deep += "ARC i=1: ";
  CHECK(translate(deep, tables, Language::Japanese) == deep);
  auto many = std::string("the body was changed");
  while (many.size() < 450) many += "; the body was changed";
  CHECK_FALSE(translate(many, tables, Language::Japanese).contains("body"));
}

}  // namespace
}  // namespace hikyaku
