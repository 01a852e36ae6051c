#include "app/terminal.h"

#include <doctest/doctest.h>

#include "app/log_sink.h"
#include "app/progress.h"
#include "app/text_width.h"

using namespace hikyaku;
using namespace hikyaku::app;

TEST_CASE("columns") {
  CHECK(columns("") == 0);
  CHECK(columns("mail") == 4);
  CHECK(columns("メール") == 6);
  CHECK(columns("ﾒｰﾙ") == 3);        // half-width kana
  CHECK(columns("e\xcc\x81") == 1);  // combining acute
  CHECK(columns("\xff\xfe") == 2);   // two replacement characters
  CHECK(padded("メール", 8) == "メール  ");
}

TEST_CASE("wrapping") {
  CHECK(wrapped("one two three", 0, 8) == "one two\nthree\n");
  CHECK(wrapped("one two three", 2, 9) == "  one two\n  three\n");
  CHECK(wrapped("unbreakablelongword x", 0, 8) == "unbreakablelongword\nx\n");
  CHECK(wrapped("日本語の文です", 0, 8) == "日本語の\n文です\n");
  CHECK(wrapped("日本語だ。次", 0, 8) == "日本語\nだ。次\n");  // no 。 at the start of a line
  CHECK(wrapped("ab「日本」", 0, 4) == "ab\n「日\n本」\n");    // no 「 at the end of one
  CHECK(wrapped("a b\nc", 0, 80) == "a b\nc\n");
  CHECK(wrapped("text\n  keep   this\n\nend", 2, 80) == "  text\n    keep   this\n\n  end\n");
  CHECK(wrapped("日本 is Japan", 0, 7) == "日本 is\nJapan\n");
  CHECK(wrapped("", 2, 80) == "\n");
  // Narrow marks behind and before wide characters.
  CHECK(wrapped("(日本)、日", 0, 6) == "(日\n本)、\n日\n");
  CHECK(wrapped("日本: 日", 0, 4) == "日\n本:\n日\n");
  CHECK(wrapped("日本(日)", 0, 5) == "日本\n(日)\n");
  // Commands stay whole.
  CHECK(wrapped("一つ `a b c` です", 0, 10) == "一つ\n`a b c` で\nす\n");
  CHECK(wrapped("say `a b c`, then", 0, 10) == "say\n`a b c`,\nthen\n");
  CHECK(wrapped("`a b", 0, 3) == "`a\nb\n");  // no end
}

namespace {

struct Screen {
  std::string out, err;
  Terminal terminal;
  explicit Screen(Terminal::Shape shape)
      : terminal(
            [this](std::string_view text) {
              out += text;
              return true;
            },
            [this](std::string_view text) {
              err += text;
              return true;
            },
            shape) {}
};

}  // namespace

TEST_CASE("tables align and show control characters harmlessly") {
  Screen screen({.width = 80});
  screen.terminal.table({{"Name", "Size"}, {{"受信箱", "12"}, {"a\x1b[2Jb", "3"}}});
  CHECK(screen.out ==
        "Name       Size\n"
        "受信箱     12\n"
        "a\\x1b[2Jb  3\n");
}

TEST_CASE("words of strangers command nothing: colours and lines are ours, the rest is shown") {
  std::string out, err;
  Terminal terminal(
      [&](std::string_view text) {
        out += text;
        return true;
      },
      [&](std::string_view text) {
        err += text;
        return true;
      },
      {.width = 80, .colour = true, .language = Language::English});
  terminal.lines("\x1b[1;31ma\x1b[0m\u202eb\n\tc\xff\x1b[2J\x1b]0;x\a\xC2\x9B\n");
  CHECK(out == "\x1b[1;31ma\x1b[0m\\u{202e}b\n\tc\\xff\\x1b[2J\\x1b]0;x\\x07\\u{9b}\n");
  out.clear();
  terminal.paragraph(terminal.toned(Tone::Bad, "from \u2066anna\u2069 \x1b[2J"));
  CHECK(out == "\x1b[31mfrom \\u{2066}anna\\u{2069} \\x1b[2J\x1b[0m\n");
  terminal.complain_text("no \u200f\x1b[2J");
  CHECK(err == "hikyaku: no \\u{200f}\\x1b[2J\n");
  terminal.lines("");
  terminal.lines("\x1b");
  CHECK(out.ends_with("\\x1b"));
}

TEST_CASE("colour only where there is a terminal") {
  CHECK(Screen({.colour = false}).terminal.toned(Tone::Bad, "x") == "x");
  CHECK(Screen({.colour = true}).terminal.toned(Tone::Bad, "x") == "\x1b[31mx\x1b[0m");
}

TEST_CASE("progress: after a second, a few times a second, and cleared at the end") {
  using namespace std::chrono_literals;
  auto start = Progress::Clock::time_point(100s);
  Screen screen({.progress = true});
  {
    Progress progress(screen.terminal, "import", 50'000, start);
    progress.set(10, start + 500ms);
    CHECK(screen.err == "");
    progress.set(10'000, start + 2s);
    CHECK(screen.err == "\r\x1b[Kimport: 10,000 of 50,000 (20 %), 5,000/s, 9s left");
    screen.err.clear();
    progress.set(10'100, start + 2100ms);
    CHECK(screen.err == "");
    screen.terminal.set_language(Language::Japanese);
    progress.set(50'000, start + 10s);
    CHECK(screen.err == "\r\x1b[Kimport: 50,000 / 50,000 (100 %)、毎秒 5,000");
    screen.err.clear();
  }
  CHECK(screen.err == "\r\x1b[K");

  Screen file({.progress = false});
  Progress(file.terminal, "import", 0, start).set(5, start + 1h);
  CHECK(file.err == "");
  CHECK(grouped(0) == "0");
  CHECK(grouped(1234567) == "1,234,567");
  constexpr Counted kMails{"{} mail", "{} mails", "{} 通"};
  CHECK(counted(Language::English, kMails, 1) == "1 mail");
  CHECK(counted(Language::English, kMails, 0) == "0 mails");
  CHECK(counted(Language::English, kMails, 1234) == "1,234 mails");
  CHECK(counted(Language::Japanese, kMails, 1) == "1 通");
  CHECK(percent(5, 9) == "56 %");
  CHECK(percent(2, 3) == "67 %");
  CHECK(percent(3056, 3062) == "> 99 %");  // which is not all
  CHECK(percent(1, 1000) == "< 1 %");      // nor nothing
  CHECK(percent(0, 7) == "0 %");
  CHECK(percent(7, 7) == "100 %");
  CHECK(percent(0, 0) == "-");
}

TEST_CASE("log lines as text and as JSON") {
  auto time = *parse_rfc3339("2026-11-21T22:44:10.123Z");
  auto line =
      R"(event=smtp.refused cid=42 helo="a \"b\" \\ c" empty="" n=007 big=12345678901234567 z=0 m=-5)";
  CHECK(format_log_line(config::LogFormat::Text, time, LogLevel::Info, "event=x.y a=1") ==
        "2026-11-21T22:44:10.123Z info event=x.y a=1\n");
  CHECK(format_log_line(config::LogFormat::Json, time, LogLevel::Warn, line) ==
        R"({"time":"2026-11-21T22:44:10.123Z","level":"warn","event":"smtp.refused","cid":42,)"
        R"("helo":"a \"b\" \\ c","empty":"","n":"007","big":"12345678901234567","z":0,"m":-5})"
        "\n");
}
