#include "mime/encoded_word.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

TEST_CASE("encoded words are read wherever and however they stand") {
  struct Row {
    std::string_view value, text;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", ""},
           {" plain ", "plain"},
           {"=?ISO-8859-1?Q?a?=", "a"},  // RFC 2047 §8
           {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
           {"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
           {"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"},
           {"(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)"},
           {"(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
           {"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
           {"=?iso-8859-1?q?caf=E9?=", "caf\u00E9"},
           {"=?iso-8859-1?q?caf=e9?= au lait", "caf\u00E9 au lait"},
           {"=?utf-8*ja?B?44GC?=", "\u3042"},                 // RFC 2231 §5
           {"=?utf-8?B?44?= =?utf-8?B?GC?=", "\u3042"},       // quanta cut
           {"=?utf-8?Q?=E3=81?= =?utf-8?Q?=82?=", "\u3042"},  // a character cut
           {"=?utf-8?B?44GC=44GE?=", "\u3042\u3044"},         // padding in the middle
           {"=?utf-8?B?44GCYQ?=", "\u3042a"},                 // none at the end
           {"=?utf-8?B?44GC YQ==?=", "\u3042a"},              // space inside
           {"=?utf-8?Q?hello there?=", "hello there"},        // space inside
           {"x=?utf-8?Q?y?=z", "xyz"},                        // no space around
           {"\"=?utf-8?Q?y?=\"", "\"y\""},
           {"=?iso-2022-jp?B?GyRCJCIbKEI=?=", "\u3042"},
           {"=?iso-2022-jp?B?GyRCJCI=?= =?iso-2022-jp?B?JCQbKEI=?=", "\u3042\u3044"},  // state kept
           {"=?shift_jis?B?gqA=?=", "\u3042"},
           {"=?unknown-8bit?Q?caf=E9?=", "caf\u00E9"},
           {"=?nonsense?Q?abc?=", "abc"},
           {"=?utf-8?X?abc?=", "=?utf-8?X?abc?="},  // no such encoding
           {"=?utf-8?Q?abc", "=?utf-8?Q?abc"},      // never ends
           {"=?"
            "?Q?abc?=",
            "=?"
            "?Q?abc?="},
           {"=?utf-8?Q?"
            "?=",
            ""},
           {"a =?utf-8?Q?"
            "?= b",
            "a  b"},
           {"=?utf-8?Q?a=ZZb?=", "a=ZZb"},
           {"=?utf-8?Q?a?=?=", "a?="},
           {"=?utf-8?Q?abc =?utf-8?Q?def?=", "=?utf-8?Q?abc def"},  // the first was cut off
           {"\x1B$B$\"\x1B(B", "\u3042"},                           // raw ISO-2022-JP
           {"\xE3\x81\x82", "\u3042"},                              // raw UTF-8
           {"caf\xE9", "caf\u00E9"},                                // raw Latin-1
           {"=?utf-8?Q?a=00b=0Ac?=", "a b c"},                      // no control characters out
       }) {
    CAPTURE(row.value);
    CHECK(decode_words(row.value) == row.text);
  }
  CHECK(decode_words("\x82\xA0", "shift_jis") == "\u3042");
}

TEST_CASE("hostile values take linear time") {
  std::string begins;
  for (int i = 0; i < 200'000; ++i) begins += "=?a?q?";
  CHECK(decode_words(begins).size() == begins.size());
  CHECK(decode_words(begins + "?=").size() < begins.size() + 2);
}

void check_lines(const std::string& field) {
  CAPTURE(field);
  CHECK(is_ascii(field));
  for (auto line : split(field, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    CHECK(line.size() <= 78);
    CHECK_FALSE(trim_space(line).empty());
  }
}

TEST_CASE("what is encoded reads back the same, on short lines") {
  std::string japanese, mixed;
  for (int i = 0; i < 60; ++i) japanese += "\u8ACB\u6C42\u66F8";
  for (int i = 0; i < 30; ++i) mixed += "word caf\u00E9 \U0001F600 ";
  mixed.pop_back();
  for (std::string text : std::initializer_list<std::string>{
           "", "hello", "Re: hello, world (again)", "caf\u00E9", "a caf\u00E9 b", japanese, mixed,
           "=?utf-8?Q?not=20one?=", "two  spaces", "\u3042 \u3044", std::string(500, 'x'),
           "Doe, \"J\" \\", "\u3042, <b>"}) {
    auto subject = "Subject: " + encode_unstructured(text, 9);
    check_lines(subject);
    CHECK(decode_words(std::string_view(subject).substr(9)) == text);
    auto phrase = encode_phrase(text, 6);
    check_lines("From: " + phrase + "x");
    if (text.find('"') == text.npos && text != std::string(500, 'x')) {
      auto unquoted = phrase.starts_with('"') ? phrase.substr(1, phrase.size() - 2) : phrase;
      CHECK(decode_words(unquoted) == text);
    }
  }
  CHECK(encode_unstructured("a\r\nBcc: evil", 9) == "a  Bcc: evil");
  CHECK(encode_phrase("a\r\nb", 0).find('\n') == std::string::npos);
}

}  // namespace
}  // namespace hikyaku::mime
