// What becomes of the mail that programs write, and of the options they pass.
#include "app/program_mail.h"

#include <doctest/doctest.h>

#include "app/sendmail_options.h"
#include "base/text.h"

using namespace hikyaku;
using namespace hikyaku::app;

TEST_CASE("line ends of every kind") {
  struct Case {
    std::string_view in, out;
  };
  const Case cases[] = {
      {"", ""},
      {"a", "a\r\n"},
      {"a\n", "a\r\n"},
      {"a\r\nb\nc\rd\r\n", "a\r\nb\r\nc\r\nd\r\n"},
      {"\n\n", "\r\n\r\n"},
      {"\r\r\n\n", "\r\n\r\n\r\n"},
      {"a\r", "a\r\n"},
  };
  for (auto& c : cases) {
    for (std::size_t cut = 0; cut <= c.in.size(); ++cut) {
      CAPTURE(c.in);
      CAPTURE(cut);
      LineEnds ends;
      auto out = ends.feed(c.in.substr(0, cut));
      out += ends.feed(c.in.substr(cut));
      out += ends.finish();
      CHECK(out == c.out);
    }
  }
}

TEST_CASE("headers of programs are completed") {
  const ProgramSender sender{"root@alpha.test", "Charlie Root", "alpha.test"};
  const std::string from = "From: Charlie Root <root@alpha.test>\r\n";
  struct Case {
    std::string_view in, text, recipients;
    std::string_view body = {};
  };
  const Case cases[] = {
      // cron
      {"From: root (Cron Daemon)\r\nTo: root\r\nSubject: Cron <root@h> true\r\n\r\nhi\r\n",
       "From: Cron Daemon <root@alpha.test>\r\nTo: root@alpha.test\r\nSubject: Cron <root@h> "
       "true\r\n\r\n",
       "root@alpha.test", "hi\r\n"},
      // mail(1), scripts
      {"To: a@b.test\r\nSubject: x\r\n\r\n", "FROM|To: a@b.test\r\nSubject: x\r\n\r\n", "a@b.test"},
      {"hello\r\nworld\r\n", "FROM|\r\n", "", "hello\r\nworld\r\n"},
      {"\r\nhello\r\n", "FROM|\r\n", "", "hello\r\n"},
      {"", "FROM|\r\n", ""},
      // an mbox entry piped in
      {"From x Mon Jan 1\r\nFrom: a@b.test\r\nTo: c@d.test\r\n\r\nFrom here\r\n",
       "From: a@b.test\r\nTo: c@d.test\r\n\r\n", "c@d.test", "From here\r\n"},
      // git send-email, mutt: everything is there
      {"From: A <a@b.test>\r\nTo: c@d.test,\r\n e@f.test\r\nCc: g@h.test\r\nBcc: i@j.test\r\n\r\n",
       "From: A <a@b.test>\r\nTo: c@d.test,\r\n e@f.test\r\nCc: g@h.test\r\nBcc: "
       "i@j.test\r\n\r\n",
       "c@d.test e@f.test g@h.test i@j.test"},
      {"From: a@b.test\r\nTo: undisclosed-recipients:;\r\nBcc: c\r\n\r\n",
       "From: a@b.test\r\nTo: undisclosed-recipients:;\r\nBcc: c@alpha.test\r\n\r\n",
       "c@alpha.test"},
      // sent on (Resent-): only to those
      {"Resent-To: x@y.test\r\nFrom: a@b.test\r\nTo: c@d.test\r\n\r\n",
       "Resent-To: x@y.test\r\nFrom: a@b.test\r\nTo: c@d.test\r\n\r\n", "x@y.test"},
  };
  for (auto& c : cases) {
    CAPTURE(c.in);
    auto made = prepare_header(c.in, sender, 100);
    auto expected = std::string(c.text);
    if (expected.starts_with("FROM|")) expected = from + expected.substr(5);
    CHECK(made.text == expected);
    CHECK(join(made.recipients, " ") == c.recipients);
    CHECK(c.in.substr(made.taken) == c.body);
  }
  auto has_8bit = [&](std::string_view text) { return prepare_header(text, sender, 1).has_8bit; };
  CHECK(has_8bit("From: a@b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"));
  CHECK(has_8bit("From: a@b\r\nSubject: \xC3\xBC\r\n\r\n"));
  CHECK_FALSE(has_8bit("From: a@b\r\n\r\n"));
}

TEST_CASE("no recipient of a field is left out without a word") {
  const ProgramSender sender{"root@alpha.test", "", "alpha.test"};
  std::string members;
  for (int i = 0; i < 12'000; ++i) members += (i == 0 ? "a" : ",\r\n a") + std::to_string(i);
  auto made = prepare_header("Cc: g: " + members + ";\r\n\r\n", sender, 12'000);
  CHECK(made.recipients.size() == 12'000);
  CHECK(made.recipients.back() == "a11999@alpha.test");
  CHECK_FALSE(made.too_many);
  CHECK(prepare_header("Cc: " + members + "\r\n\r\n", sender, 11'999).too_many);
  // Whom it does not go to by that field may be any number; none is lost when it is too long to be
  // completed.
  auto shown = prepare_header("Reply-To: " + members + "\r\n\r\n", sender, 100);
  CHECK_FALSE(shown.too_many);
  CHECK(shown.text.contains("a11999"));
}

TEST_CASE("a header that goes on is told from one that has ended, or never was") {
  auto lines = [](std::string_view line, int count) {
    std::string all;
    while (count-- > 0) all += line;
    return all;
  };
  CHECK(header_goes_on("Subject: x"));
  CHECK(header_goes_on("Subject: x\r\nTo: y\r\n"));
  CHECK(header_goes_on("From a@b Sat Nov 21 22:44:10 2026\r\nSubject: x\r\nT"));
  CHECK(header_goes_on("Subject: x\r\nfolded\r\n"));  // what comes may say that it is no text
  CHECK_FALSE(header_goes_on("Subject: x\r\n" + lines("text\r\n", 40)));
  CHECK_FALSE(header_goes_on("text\r\nmore\r\n"));
  CHECK_FALSE(header_goes_on("text"));
  CHECK_FALSE(header_goes_on(""));
  CHECK(has_whole_header("a: b\r\n\r\n", 7));
  CHECK_FALSE(has_whole_header("a: b\r\n\r"));
}

TEST_CASE("sendmail's options as programs pass them") {
  auto words = [](std::string_view line) {
    std::vector<std::string> all;
    for (auto word : split(line, ' ')) all.emplace_back(word);
    return all;
  };
  auto parse = [&](std::string_view line) { return parse_sendmail_options(words(line)).value(); };
  auto cron = parse("-FCronDaemon -i -B8BITMIME -oem root");
  CHECK(cron.full_name == "CronDaemon");
  CHECK(cron.ignore_dots);
  CHECK(cron.eight_bit);
  CHECK(join(cron.recipients, " ") == "root");
  auto mutt = parse("-oem -oi -f anna@alpha.test -- -odd@b.test c@d.test");
  CHECK(mutt.from == "anna@alpha.test");
  CHECK(mutt.ignore_dots);
  CHECK(join(mutt.recipients, " ") == "-odd@b.test c@d.test");
  auto php = parse("-t -i");
  CHECK((php.extract && php.ignore_dots && php.recipients.empty()));
  CHECK(parse("-ti").extract);
  CHECK(parse("-f <> <a@b.test>").from == "");
  CHECK(parse("-f <> <a@b.test>").recipients.front() == "a@b.test");
  CHECK(parse("-N never -R hdrs -V id -om -odb -Am -O x=y -h 3 a@b.test").recipients.size() == 1);
  CHECK(parse("-bs").mode == SendmailOptions::Mode::Smtp);
  CHECK(parse("-bp").mode == SendmailOptions::Mode::ListQueue);
  CHECK(parse("-bi").mode == SendmailOptions::Mode::Nothing);
  CHECK(parse("-q").mode == SendmailOptions::Mode::Nothing);
  CHECK(parse("-q15m").mode == SendmailOptions::Mode::Nothing);
  CHECK(parse("--dir /x a@b.test").dir == "/x");
  for (auto bad : {"-bd", "-Z", "a@b.test -f", "--dir"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_sendmail_options(words(bad)));
  }
  auto named = [](std::string_view program) { return join(words_for_name(program, {"x"}), " "); };
  CHECK(named("/usr/sbin/sendmail") == "sendmail x");
  CHECK(named("mailq") == "mailq x");
  CHECK(named("/usr/bin/newaliases") == "sendmail -bi x");
  CHECK(named("/usr/bin/hikyaku") == "x");
}
