#include "dkim/tag_list.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::dkim {
namespace {

std::string shown(std::string_view text, TagLimits limits = {}) {
  auto list = TagList::parse(text, limits);
  if (!list) return "error";
  std::string result;
  for (auto& tag : list->tags()) {
    result += tag.name;
    result += '(';
    result += printable(tag.value);
    result += ')';
  }
  return result;
}

TEST_CASE("tag lists") {
  struct Case {
    std::string_view text, expected;
  };
  using namespace std::string_view_literals;
  for (auto& [text, expected] : std::initializer_list<Case>{
           {"v=1; a=b", "v(1)a(b)"},
           {"v=1;a=b;", "v(1)a(b)"},                  // one semicolon at the end
           {" v = 1 ;\r\n\ta =\r\n b ", "v(1)a(b)"},  // folds around everything
           {"a=", "a()"},                             // an empty value is a value
           {"a=b=c", "a(b=c)"},
           {"a=x y\tz", "a(x y\\tz)"},
           {"a_1=x", "a_1(x)"},
           {"A=x;a=y", "A(x)a(y)"},  // names are case-sensitive
           {"a=x\r\n y", "a(x\\r\\n y)"},
           {"a=\xc3\xbc", "a(\xc3\xbc)"},  // RFC 8616
           {"", "error"},
           {";", "error"},
           {"a=b;;c=d", "error"},  // an empty tag
           {"a=b;;", "error"},     // two at the end
           {"a=1;a=2", "error"},   // twice
           {"a=1;b=2;a=1", "error"},
           {"a", "error"},     // no value
           {"=x", "error"},    // no name
           {"1a=x", "error"},  // begins with a digit
           {"_a=x", "error"},
           {"a b=x", "error"},  // space inside a name
           {"a-b=x", "error"},
           {"\xc3\xbc=x", "error"},
           {"a=x\ny", "error"},    // a bare LF
           {"a=x\r\ny", "error"},  // a line end that is no fold
           {"a=x\ry", "error"},
           {"a=x\0y"sv, "error"},
           {"a=\x7f", "error"},
           {"a=\xff", "error"},  // not UTF-8
       }) {
    CAPTURE(text);
    CHECK(shown(text) == expected);
  }
}

TEST_CASE("tag lists have limits") {
  CHECK(shown("a=1;b=2", {.bytes = 7, .tags = 2}) == "a(1)b(2)");
  CHECK(shown("a=1;b=2", {.bytes = 6, .tags = 2}) == "error");
  CHECK(shown("a=1;b=2", {.bytes = 7, .tags = 1}) == "error");
}

TEST_CASE("base64 values may be folded and lack padding") {
  CHECK(decode_base64_value("aGkh") == "hi!");
  CHECK(decode_base64_value("aG\r\n kh") == "hi!");
  CHECK(decode_base64_value("aGk=") == "hi");
  CHECK(decode_base64_value("aGk") == "hi");
  CHECK(!decode_base64_value(""));
  CHECK(!decode_base64_value("aGk?"));
  CHECK(!decode_base64_value("a"));
}

}  // namespace
}  // namespace hikyaku::dkim
