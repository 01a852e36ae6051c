#include "mime/charset.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

TEST_CASE("charsets are read as mail means them") {
  struct Row {
    std::string_view label, bytes, text;
  };
  for (auto& row : std::initializer_list<Row>{
           {"UTF-8", "caf\xC3\xA9", "caf\u00E9"},
           {"utf-8", "\xEF\xBB\xBFx", "x"},
           {"utf-8", "a\xFFz", "a\uFFFDz"},
           {"us-ascii", "abc", "abc"},
           {"us-ascii", "caf\xC3\xA9", "caf\u00E9"},    // a lie of many programs
           {"US-ASCII", "\x93q\x94", "\u201Cq\u201D"},  // windows-1252
           {"iso-8859-1", "\x80\x93q\x94", "\u20AC\u201Cq\u201D"},
           {"ISO_8859-1:1987", "\xE9", "\u00E9"},
           {"\"iso-8859-1\"", "\xE9", "\u00E9"},
           {"iso-8859-2", "\xB1", "\u0105"},
           {"iso-8859-15", "\xA4", "\u20AC"},
           {"iso-8859-16", "\xA4", "\u20AC"},
           {"windows-1251", "\xCF\xF0", "\u041F\u0440"},
           {"cp1250", "\xB9", "\u0105"},
           {"koi8-r", "\xF0\xD2", "\u041F\u0440"},
           {"koi8-u", "\xA4", "\u0454"},
           {"ibm866", "\x8F", "\u041F"},
           {"macintosh", "\x8E", "\u00E9"},
           {"windows-874", "\xA1", "\u0E01"},
           {"tis-620", "\xA1", "\u0E01"},
           {"utf-7", "Hi +AGEAYg-", "Hi ab"},
           {"unicode-1-1-utf-7", "+MEI-", "\u3042"},
           {"utf-16", std::string_view("\xFE\xFF\x30\x42", 4), "\u3042"},
           {"utf-16le", std::string_view("\x42\x30", 2), "\u3042"},
           // Chinese and Korean under their narrow names
           {"gb2312", "\xC4\xE3\xBA\xC3", "\u4F60\u597D"},
           {"gb2312", "\x81\x40", "\u4E02"},
           {"gbk", "\x81\x40", "\u4E02"},
           {"gb18030", "\x81\x30\x81\x30", "\u0080"},
           {"hz-gb-2312", "~{<:~}", "\u5DF1"},
           {"big5", "\xA7\x41\xA6\x6E", "\u4F60\u597D"},
           {"euc-kr", "\xBE\xC8", "\uC548"},
           {"ks_c_5601-1987", "\x81\x41", "\uAC02"},
           {"iso-2022-kr", "\x1B$)C\x0E\x3E\x48\x0F", "\uC548"},
           // Shift_JIS is windows-31j
           {"shift_jis", "\x82\xA0\x81\x60\x81\x7C\x5C\x7E", "\u3042\uFF5E\uFF0D\\~"},
           {"x-sjis", "\x87\x40\xB1", "\u2460\uFF71"},
           {"cp932", "\xFA\x40\xED\x40", "\u2170\u7E8A"},
           // EUC-JP with the vendors' rows
           {"euc-jp", "\xA4\xA2\xA1\xC1", "\u3042\uFF5E"},
           {"euc-jp", "\xAD\xA1\xFC\xF4\xF9\xA1", "\u2460\u2173\u7E8A"},
           {"eucJP-ms", "\x8E\xB1\x8F\xB0\xA1", "\uFF71\u4E02"},
           {"euc-jp", "\x8F\xF3\xF3", "\u2170"},
           // ISO-2022-JP and what is sent as such
           {"iso-2022-jp", "a\x1B$B$\"\x1B(Bb", "a\u3042b"},
           {"ISO-2022-JP", "\x1B$@0!\x1B(J", "\u4E9C"},
           {"iso-2022-jp", "\x1B$B-!!A!]\x1B(B", "\u2460\uFF5E\uFF0D"},  // NEC row 13
           {"iso-2022-jp", "\x1B$By!|q\x1B(B", "\u7E8A\u2170"},          // NEC selected IBM
           {"iso-2022-jp", "\x1B(I1234\x1B(B", "\uFF71\uFF72\uFF73\uFF74"},
           {"iso-2022-jp",
            "\x0E"
            "12\x0F"
            "a",
            "\uFF71\uFF72"
            "a"},  // SO, SI
           {"iso-2022-jp",
            "\xB1\xB2"
            "a",
            "\uFF71\uFF72"
            "a"},  // 8-bit kana
           {"cp50221", "\x1B(I1\x1B(B", "\uFF71"},
           {"iso-2022-jp", "\x1B(J\\~\x1B(B\\", "\u00A5\u203E\\"},
           {"iso-2022-jp-1", "\x1B$(D0!\x1B(B", "\u4E02"},  // JIS X 0212
           {"iso-2022-jp-2", "\x1B$A<:\x1B(B\x1B$B$\"\x1B(B", "\u5DF1\u3042"},
           {"iso-2022-jp-3", "\x1B$(O$w\x1B(B", "\u304B\u309A"},  // JIS X 0213
           {"iso-2022-jp", "\x1B$(Q.!\x1B(B", "\u4FF1"},          // under the plain name
           {"euc-jisx0213", "\xA4\xF7", "\u304B\u309A"},
           {"iso-2022-jp", "\x1B$B$\"\nabc", "\u3042\nabc"},  // state ends with the line
           {"iso-2022-jp", "\x1B$B$\"$", "\u3042\uFFFD"},     // cut off
           {"iso-2022-jp", "a\x1B$Zb", "a\uFFFD$Zb"},         // unknown escape
           // nobody says
           {"", "caf\xE9", "caf\u00E9"},
           {"", "\x1B$B$\"\x1B(B", "\u3042"},
           {"", "\xA4\xA2\xA4\xA4\xA4\xA6", "\u3042\u3044\u3046"},
           {"", "\x82\xA0\x82\xA2\x82\xA4", "\u3042\u3044\u3046"},
           {"x-unknown", "caf\xC3\xA9", "caf\u00E9"},
           {"default", "caf\xE9", "caf\u00E9"},
       }) {
    CAPTURE(row.label);
    CAPTURE(to_hex(row.bytes));
    CHECK(to_utf8(row.bytes, row.label) == row.text);
  }
}

TEST_CASE("labels are known or not, and never trouble") {
  CHECK(is_known_charset("UTF-8"));
  CHECK(is_known_charset(" \"Shift_JIS\" "));
  CHECK(is_known_charset("ibm850"));
  CHECK_FALSE(is_known_charset("klingon"));
  CHECK_FALSE(is_known_charset("LMBCS-1"));
  CHECK_FALSE(is_known_charset(""));
  CHECK_FALSE(is_known_charset(std::string(10'000, 'x')));
  CHECK_FALSE(is_known_charset("../../etc/passwd"));
  CHECK(decode_charset("x", "klingon").known_label == false);
  CHECK(decode_charset("x\xFF", "utf-8").replaced);
  CHECK_FALSE(decode_charset("x", "utf-8").replaced);
  // Single bytes that Windows has no character for.
  auto macintosh = decode_charset("\x80 \xA0 \xFD", "shift_jis");
  CHECK(macintosh.text == "\uFFFD \uFFFD \uFFFD");
  CHECK(macintosh.replaced);
}

TEST_CASE("whatever the bytes, what comes out is UTF-8") {
  std::string bytes;
  for (int i = 0; i < 512; ++i) bytes += static_cast<char>(i * 37 + (i >> 8));
  for (std::string_view label :
       {"utf-8",         "utf-7",       "utf-16", "iso-2022-jp",  "iso-2022-jp-2",
        "iso-2022-jp-3", "shift_jis",   "euc-jp", "euc-jisx0213", "gb18030",
        "big5",          "euc-kr",      "hz",     "iso-2022-cn",  "koi8-r",
        "windows-1252",  "iso-8859-16", "utf-32", "scsu",         "imap-mailbox-name",
        "unknown"}) {
    CAPTURE(label);
    CHECK(is_utf8(to_utf8(bytes, label)));
    CHECK(is_utf8(to_utf8(std::string("\x1B$B\x1B$(Q") + bytes, label)));
    CHECK(is_utf8(to_utf8(std::string("\x8F\xF3") + bytes, label)));
  }
}

TEST_CASE("text is sent in ISO-2022-JP if it fits") {
  CHECK(from_utf8("a\u3042b", "iso-2022-jp") == "a\x1B$B$\"\x1B(Bb");
  CHECK(from_utf8("\u301C\uFF5E", "iso-2022-jp") == "\x1B$B!A!A\x1B(B");
  CHECK(from_utf8("\u2212", "iso-2022-jp") == "\x1B$B!]\x1B(B");
  CHECK(from_utf8("\uFF76\uFF9E\uFF71", "iso-2022-jp") == "\x1B$B%,%\"\x1B(B");  // ガア
  CHECK(from_utf8("\u3042\r\n\u3044", "iso-2022-jp") == "\x1B$B$\"\x1B(B\r\n\x1B$B$$\x1B(B");
  CHECK_FALSE(from_utf8("\u2460", "iso-2022-jp").has_value());  // NEC row 13
  CHECK_FALSE(from_utf8("\U0001F600", "iso-2022-jp").has_value());
  CHECK(from_utf8("\u00E9", "iso-8859-1") == "\xE9");
  CHECK(from_utf8("\u3042", "shift_jis") == "\x82\xA0");
  CHECK_FALSE(from_utf8("\u3042", "us-ascii").has_value());
  CHECK_FALSE(from_utf8("a\xFF", "utf-8").has_value());
  CHECK_FALSE(from_utf8("a", "klingon").has_value());
}

}  // namespace
}  // namespace hikyaku::mime
