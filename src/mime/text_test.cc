#include "mime/text.h"

#include <doctest/doctest.h>

namespace hikyaku::mime {
namespace {

TEST_CASE("bodies are read with encoding and charset removed") {
  auto text = [](std::string bytes) {
    auto message = parse_message(bytes);
    return body_text(message, message.root());
  };
  CHECK(text("Content-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xE9") == "caf\u00E9");
  CHECK(text("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
             "44GC\r\n") == "\u3042");
  CHECK(text("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
             "quoted-printable\r\n\r\n=E3=\r\n=81=82") == "\u3042");
  CHECK(text("Content-Type: text/html\r\n\r\n<meta http-equiv=x content=\"text/html; "
             "charset=shift_jis\">\x82\xA0")
            .ends_with("\u3042"));
  CHECK(text("Content-Type: text/html\r\n\r\n<meta charset='euc-jp'>\xA4\xA2").ends_with("\u3042"));
}

TEST_CASE("file names from wherever they stand") {
  auto name = [](std::string header) {
    auto bytes = header + "\r\n\r\n";
    return file_name(parse_message(bytes).root());
  };
  CHECK(name("Content-Disposition: attachment; filename=a.txt") == "a.txt");
  CHECK(name("Content-Type: a/b; name=a.txt") == "a.txt");
  CHECK(name("Content-Type: a/b; name=a.txt\r\nContent-Disposition: attachment; filename=b") ==
        "b");
  CHECK(name("Content-Type: a/b; name=a.txt\r\nContent-Disposition: attachment") == "a.txt");
  CHECK(name("Content-Disposition: attachment; filename*=utf-8''%E3%81%82") == "\u3042");
  CHECK(name("Content-Disposition: attachment; filename=\"=?utf-8?B?44GC?=\"") == "\u3042");
  CHECK(name("X: y") == "");
}

TEST_CASE("search sees neither case nor width") {
  struct Row {
    std::string_view text, needle;
    bool found;
  };
  for (auto& row : std::initializer_list<Row>{
           {"Hello World", "WORLD", true},
           {"\uFF28\uFF25\uFF2C\uFF2C\uFF2F", "hello", true},  // full-width letters
           {"\uFF76\uFF9E", "\u30AC", true},                   // half-width kana
           {"\u30AB\u3099", "\u30AC", true},                   // combining mark
           {"STRASSE", "stra\u00DFe", true},
           {"\u00C9t\u00E9", "\u00E9T\u00C9", true},
           {"e\u0301", "\u00C9", true},
           {"\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2",
            "\u03C3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C3", true},
           {"abc", "abd", false},
           {"abc", "", true},
           {"a\xFF"
            "b",
            "b", true},
       }) {
    CAPTURE(row.text);
    CAPTURE(row.needle);
    CHECK(contains_folded(row.text, fold(row.needle)) == row.found);
  }
}

TEST_CASE("words in long texts are found wherever they stand") {
  // Long texts are folded in pieces, whose ends must not be seen.
  std::string combined = "\u30AB\u3099";  // two characters that are one
  for (std::size_t before = 64 * 1024 - 12; before < 64 * 1024 + 3; ++before) {
    CAPTURE(before);
    for (std::string fill : {"x", "\u6F22"}) {
      std::string text;
      while (text.size() + fill.size() <= before) text += fill;
      CHECK(contains_folded(text + "Needle" + text, fold("needle")));
      CHECK(contains_folded(text + combined + "\u00C9" + text, fold("\u30AC\u00E9")));
      CHECK_FALSE(contains_folded(text + "Needle" + text, fold("needless")));
    }
  }
}

TEST_CASE("a message is searched in its text parts") {
  std::string bytes =
      "Subject: =?utf-8?B?5Lya6K2w?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1B$BEl5~\x1B(B\r\n"
      "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; "
      "filename=secret.pdf\r\n\r\nneedle\r\n"
      "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nnested text\r\n--b--\r\n";
  auto message = parse_message(bytes);
  FoldedTexts texts({fold("\u6771\u4EAC"), "nested", "needle", "", "nested", "secret.pdf"});
  FoldedTexts::Found found(texts);
  look_in_bodies(message, found);
  auto body = [&](std::string_view needle) { return found.contains(fold(needle)); };
  CHECK(body("\u6771\u4EAC"));
  CHECK(body("NESTED"));
  CHECK(body(""));
  CHECK_FALSE(body("secret.pdf"));
  CHECK_FALSE(body("needle"));  // in a PDF
  CHECK_FALSE(body("text"));    // there, but not looked for
}

TEST_CASE("combining characters without end are folded in short runs") {
  // To put them in order takes the square of their number: those of class 220 go before those of
  // class 230, but only within a run.
  auto times = [](int count, std::string_view what) {
    std::string all;
    for (int i = 0; i < count; ++i) all += what;
    return all;
  };
  std::string acute = "\u0301";
  std::string grave_below = "\u0316";
  CHECK(fold("x" + times(29, acute) + grave_below) == "x" + grave_below + times(29, acute));
  CHECK(fold("x" + times(30, acute) + grave_below) == "x" + times(30, acute) + grave_below);
  auto hostile = "x" + times(100'000, acute) + times(100'000, grave_below);
  auto folded = fold(hostile);
  CHECK(folded.size() == hostile.size());
  CHECK(folded.starts_with("x" + times(60, acute)));
  CHECK(contains_folded("Before " + hostile + " behind", folded + " behind"));
}

TEST_CASE("base subjects (RFC 5256)") {
  struct Row {
    std::string_view subject, base;
    bool reply;
  };
  for (auto& row : std::initializer_list<Row>{
           {"hello", "hello", false},
           {"Re: hello", "hello", true},
           {"RE:hello", "hello", true},
           {"re : re: Fwd: fw: hello", "hello", true},
           {"Re[2]: hello", "hello", true},
           {"[list] hello", "hello", false},
           {"[list] Re: hello", "hello", true},
           {"Re: [list] hello", "hello", true},
           {"[a][b] hello", "hello", false},
           {"[list]", "[list]", false},
           {"hello (fwd)", "hello", true},
           {"hello (fwd) (FWD) ", "hello", true},
           {"[Fwd: hello]", "hello", true},
           {"[fwd: Re: [x] hello (fwd)]", "hello", true},
           {"  a \t b  ", "a b", false},
           {"reply to you", "reply to you", false},
           {"Re:", "", true},
           {"", "", false},
           {"=?utf-8?Q?Re:_caf=C3=A9?=", "caf\u00E9", true},
           {"[unclosed hello", "[unclosed hello", false},
       }) {
    CAPTURE(row.subject);
    bool reply = false;
    CHECK(base_subject(row.subject, &reply) == row.base);
    CHECK(reply == row.reply);
  }
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "Re: ";
  CHECK(base_subject(many + "x") == "x");
  std::string wrapped;
  for (int i = 0; i < 50'000; ++i) wrapped += "[fwd: ";
  CHECK_FALSE(base_subject(wrapped + "x").empty());
  std::string blobs;
  for (int i = 0; i < 100'000; ++i) blobs += "[a]";
  CHECK(base_subject(blobs + "x") == "x");
}

TEST_CASE("Message-IDs") {
  struct Row {
    std::string_view value;
    std::vector<std::string> ids;
  };
  for (auto& row : std::initializer_list<Row>{
           {"<a@b>", {"a@b"}},
           {"<a@b> <c@d>\r\n\t<e@f>", {"a@b", "c@d", "e@f"}},
           {"Your message of Tue <a@b>", {"a@b"}},
           {"<a@b\r\n c>", {"a@bc"}},
           {"<a@b <c@d>", {"c@d"}},
           {"<a@b", {}},
           {"a@b", {}},
           {"<>", {}},
           {"<a@b><c@d>", {"a@b", "c@d"}},
       }) {
    CAPTURE(row.value);
    CHECK(message_ids(row.value) == row.ids);
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "<" + std::to_string(i) + "@x> ";
  auto ids = message_ids(many, 10);
  CHECK(ids.size() == 10);
  CHECK(ids.front() == "0@x");
  CHECK(ids[1] == "991@x");
  CHECK(ids[8] == "998@x");
  CHECK(ids.back() == "999@x");
  CHECK(message_ids(many, 1) == std::vector<std::string>{"999@x"});
  CHECK(message_ids(many, 2) == std::vector<std::string>{"0@x", "999@x"});
  CHECK(message_ids(many, 0).empty());
}

}  // namespace
}  // namespace hikyaku::mime
