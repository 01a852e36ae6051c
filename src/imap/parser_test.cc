#include "imap/parser.h"

#include <doctest/doctest.h>

#include "imap/rules.h"
#include "testing/every_split.h"

namespace hikyaku::imap {
namespace {

/// Runs a parser over pieces as a driver does and writes down what it says.
class Transcript {
 public:
  explicit Transcript(ParserLimits limits = {}, NameForm form = NameForm::Utf7)
      : parser_(std::move(limits)) {
    parser_.set_name_form(form);
  }

  void feed(std::string_view input) {
    while (true) {
      auto event = parser_.next(input);
      if (event == Parser::Event::NeedMore) return;
      note(event);
      if (event == Parser::Event::Fatal) return;
    }
  }
  std::string text() const { return text_ + (data_.empty() ? "" : "data=" + data_ + ";"); }
  /// At the event with this name the driver refuses.
  std::string refuse_at;
  bool idle_lines = true;

 private:
  void note(Parser::Event event) {
    if (event == Parser::Event::MessageData) {
      data_ += parser_.data();  // joined: how it is cut does not matter
      if (refuse_at == "data" && data_.size() == 2) parser_.refuse();
      return;
    }
    if (!data_.empty()) text_ += "data=" + data_ + ";";
    data_.clear();
    std::string name = describe(event);
    text_ += name + ";";
    if (!refuse_at.empty() && name.starts_with(refuse_at)) parser_.refuse();
  }

  std::string describe(Parser::Event event) {
    switch (event) {
      case Parser::Event::Continuation:
        return "+";
      case Parser::Event::Command: {
        auto command = parser_.take_command();
        if (command.verb == Verb::Idle && idle_lines) parser_.expect_line(20);
        std::string text = command.tag + " " + std::string(rule_of(command.verb).name);
        if (auto* login = std::get_if<LoginCommand>(&command.arguments))
          text += " " + login->user + "/" + login->password;
        if (auto* append = std::get_if<AppendCommand>(&command.arguments))
          text += " " + append->mailbox;
        return text;
      }
      case Parser::Event::Line:
        return "line=" + std::string(parser_.line());
      case Parser::Event::Message: {
        auto& message = parser_.message();
        std::string flags;
        append_flags(flags, message.flags.system, message.flags.keywords);
        return "message " + flags + (message.date ? " " + format_date_time(*message.date) : "") +
               " " + std::to_string(message.size) + (message.synchronizing ? "" : "+") +
               (message.binary ? " binary" : "") + (message.utf8 ? " utf8" : "");
      }
      case Parser::Event::MessageEnd:
        return "end";
      case Parser::Event::AppendEnd:
        return "appended " + std::string(parser_.tag());
      case Parser::Event::Refused:
      case Parser::Event::Fatal: {
        std::string text;
        append_reply(text, parser_.tag(), parser_.reply());
        return (event == Parser::Event::Fatal ? "FATAL " : "") + text.substr(0, text.find(' ')) +
               text.substr(text.find(' '), text.find(']') == std::string::npos
                                               ? 4
                                               : text.find(']') + 1 - text.find(' '));
      }
      default:
        return "?";
    }
  }

  Parser parser_;
  std::string text_;
  std::string data_;
};

void good(std::string_view input, std::string_view expected, const ParserLimits& limits = {},
          std::string_view refuse_at = {}, NameForm form = NameForm::Utf7) {
  CAPTURE(input);
  testing::every_split(input, [&](std::string_view first, std::string_view second) {
    Transcript transcript(limits, form);
    transcript.refuse_at = refuse_at;
    transcript.feed(first);
    if (!transcript.text().contains("FATAL")) transcript.feed(second);
    REQUIRE(transcript.text() == expected);
  });
  Transcript single(limits, form);
  single.refuse_at = refuse_at;
  for (char c : input) {
    if (!single.text().contains("FATAL")) single.feed(std::string_view(&c, 1));
  }
  CHECK(single.text() == expected);
}

TEST_CASE("commands one after another, whole and with literals") {
  good("a NOOP\r\nb NOOP\r\n", "a NOOP;b NOOP;");
  good("a NOOP\nb NOOP\n", "a NOOP;b NOOP;");  // typed by hand
  good("a LOGIN {4}\r\nfred {3}\r\np w\r\n", "+;+;a LOGIN fred/p w;");
  good("a LOGIN {4+}\r\nfred {3+}\r\np w\r\nb NOOP\r\n", "a LOGIN fred/p w;b NOOP;");
  good("a LOGIN {4+}\r\na\r\nb {0+}\r\n\r\n", "a LOGIN a\r\nb/;");
  good("a LOGIN {3+}\r\nab\r {1}\r\nx\r\n", "+;a LOGIN ab\r/x;");  // the CR belongs to the literal
}

TEST_CASE("what is wrong is refused under its tag, and the next command is read") {
  good("a FROB\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("(a NOOP\r\nb NOOP\r\n", "* BAD;b NOOP;");
  good("\r\nb NOOP\r\n", "* BAD;b NOOP;");
  good("a LOGIN x\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("a NO\rOP\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good(std::string_view("a NO\0OP\r\nb NOOP\r\n", 17), "a BAD;b NOOP;");
  good("a SELECT R&D\r\n", "a NO [CANNOT];");
  // No password is asked for on behalf of a command that cannot be.
  good("a FROB {5}\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("a FROB {5+}\r\nx\r\ny {2+}\r\nzz\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("a FROB {5+}\r\nx\r\ny {2}\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("POST / HTTP/1.1\r\nHost: x\r\n\r\n", "POST BAD;Host: BAD;* BAD;");
}

TEST_CASE("limits of lines, literals and commands") {
  ParserLimits limits;
  limits.line = 30;
  limits.literal = 10;
  limits.command = 100;
  limits.literals = 3;
  limits.discard = 200;
  good("a LIST \"\" 12345678901234567890\r\n", "a LIST;", limits);
  good("a LIST \"\" 123456789012345678901\r\nb NOOP\r\n", "a BAD [LIMIT];b NOOP;", limits);
  good("a LIST \"\" 12345678901234567890 {4+}\r\nxyzw {3+}\r\nabc\r\nb NOOP\r\n",
       "a BAD [LIMIT];b NOOP;", limits);
  good("a LOGIN {11}\r\nb NOOP\r\n", "a NO [TOOBIG];b NOOP;", limits);
  good("a LOGIN {11+}\r\n12345678901 x\r\nb NOOP\r\n", "a NO [TOOBIG];b NOOP;", limits);
  good("a LOGIN {201+}\r\n", "FATAL * BYE [TOOBIG];", limits);
  good("a LOGIN {9999999999999999999+}\r\n", "FATAL * BYE [TOOBIG];", limits);
  good("a LOGIN {9999999999999999999}\r\nb NOOP\r\n", "a NO [TOOBIG];b NOOP;", limits);
  good("a LIST {1+}\r\n1 {1+}\r\n2 {1+}\r\n3 {1+}\r\n4\r\nb NOOP\r\n", "a NO [LIMIT];b NOOP;",
       limits);
  std::string endless = "a FROB " + std::string(300, 'x');
  Transcript transcript(limits);
  transcript.feed(endless);
  CHECK(transcript.text() == "a BAD [LIMIT];FATAL * BYE [TOOBIG];");
  limits.literal_minus = true;
  limits.literal = 10'000;
  limits.command = 20'000;
  limits.discard = 20'000;
  Transcript minus(limits);
  minus.feed("a LOGIN {4097+}\r\n" + std::string(4097, 'x') + " y\r\nb NOOP\r\n");
  CHECK(minus.text() == "a BAD [TOOBIG];b NOOP;");
}

TEST_CASE("APPEND streams its messages") {
  good("a APPEND inbox {5}\r\nhello\r\nb NOOP\r\n",
       "a APPEND INBOX;message () 5;data=hello;end;appended a;b NOOP;");
  good("a APPEND x (\\Seen w) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nabc\r\n",
       "a APPEND x;message (\\Seen w) 17-Jul-1996 09:44:25 +0000 3+;data=abc;end;appended a;");
  good("a APPEND {3}\r\na b () {3}\r\nabc\r\n",
       "+;a APPEND a b;message () 3;data=abc;end;appended a;");
  good("a APPEND x {1}\r\n1 (\\Seen) {2+}\r\n22 {3}\r\n\r\n3\r\n",
       "a APPEND x;message () 1;data=1;end;message (\\Seen) 2+;data=22;end;message () 3;data=\r\n3;"
       "end;appended a;");
  good(std::string_view("a APPEND x ~{3}\r\na\0b\r\n", 22),
       std::string_view("a APPEND x;message () 3 binary;data=a\0b;end;appended a;", 55));
  good("a APPEND x UTF8 (~{3+}\r\nabc)\r\n",
       "a APPEND x;message () 3+ binary utf8;data=abc;end;appended a;", {}, {}, NameForm::Utf8);
  good("a APPEND x UTF8 (~{3}\r\nb NOOP\r\n", "a BAD;b NOOP;");  // not enabled
}

TEST_CASE("APPEND that is wrong or too large") {
  ParserLimits limits;
  limits.message = 10;
  limits.append_total = 15;
  limits.append_messages = 2;
  limits.discard = 50;
  good("a APPEND x\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("a APPEND x (\\Foo) {3}\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("a APPEND x \"17-Jul-1996\" {4+}\r\nb \r\n\r\nb NOOP\r\n", "a BAD;b NOOP;");
  good("a APPEND R&D {3}\r\nb NOOP\r\n", "a NO [CANNOT];b NOOP;");
  good("a APPEND x {11}\r\nb NOOP\r\n", "a APPEND x;a NO [TOOBIG];b NOOP;", limits);
  good("a APPEND x {11+}\r\n12345678901 {2+}\r\nxx\r\nb NOOP\r\n",
       "a APPEND x;a NO [TOOBIG];b NOOP;", limits);
  good("a APPEND x {51+}\r\n", "a APPEND x;FATAL * BYE [TOOBIG];", limits);
  good("a APPEND x {0}\r\nb NOOP\r\n", "a APPEND x;a NO ;b NOOP;");
  good("a APPEND x {8}\r\n12345678 {8}\r\nb NOOP\r\n",
       "a APPEND x;message () 8;data=12345678;end;a NO [TOOBIG];b NOOP;", limits);
  good("a APPEND x {1}\r\n1 {1}\r\n2 {1}\r\nb NOOP\r\n",
       "a APPEND x;message () 1;data=1;end;message () 1;data=2;end;a NO [LIMIT];b NOOP;", limits);
  good("a APPEND x {1}\r\n1x\r\nb NOOP\r\n", "a APPEND x;message () 1;data=1;end;a BAD;b NOOP;");
  good("a APPEND x UTF8 (~{1}\r\n1\r\nb NOOP\r\n",
       "a APPEND x;message () 1 binary utf8;data=1;end;a BAD;b NOOP;", {}, {}, NameForm::Utf8);
}

TEST_CASE("the driver's refusals") {
  good("a LOGIN {4}\r\nb NOOP\r\n", "+;b NOOP;", {}, "+");
  good("a APPEND x {4}\r\nb NOOP\r\n", "a APPEND x;b NOOP;", {}, "a APPEND");
  good("a APPEND x {4+}\r\n1\r\n2 {1+}\r\nx\r\nb NOOP\r\n", "a APPEND x;b NOOP;", {}, "a APPEND");
  good("a APPEND x {4}\r\nb NOOP\r\n", "a APPEND x;message () 4;b NOOP;", {}, "message");
  good("a APPEND x {4+}\r\nb NO\r\nb NOOP\r\n", "a APPEND x;message () 4+;b NOOP;", {}, "message");
  good("a APPEND x {4}\r\nb NO {4}\r\nb NOOP\r\n", "a APPEND x;message () 4;data=b NO;end;b NOOP;",
       {}, "end");
}

TEST_CASE("IDLE ends with a line") {
  good("a IDLE\r\nDONE\r\nb NOOP\r\n", "a IDLE;line=DONE;b NOOP;");
  good("a IDLE\r\n123456789012345678901\r\nb NOOP\r\n", "a IDLE;a BAD [LIMIT];b NOOP;");
}

}  // namespace
}  // namespace hikyaku::imap
