// Maildir and mbox: what is written is read back, and what others wrote is understood.
#include "app/mail_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fstream>
#include <unistd.h>

#include "base/text.h"
#include "testing/temporary_directory.h"

using namespace hikyaku;
using namespace hikyaku::app;
namespace fs = std::filesystem;

namespace {

struct Message {
  MailItem item;
  std::string bytes;
};

std::vector<Message> read_all(MailSource& source) {
  std::vector<Message> all;
  while (auto item = source.next().value()) {
    Message message{*item, {}};
    for (auto piece = source.read().value(); !piece.empty(); piece = source.read().value())
      message.bytes += piece;
    all.push_back(std::move(message));
  }
  return all;
}

std::vector<Message> read_mbox(std::string_view text) {
  testing::TemporaryDirectory top;
  std::ofstream(top.path / "box") << text;
  return read_all(*open_mbox(top.path / "box", "").value());
}

constexpr Time kWhen = Time(std::chrono::seconds(1'600'000'000));

const Message kMessages[] = {
    {{"INBOX", {"\\Seen"}, kWhen}, "Subject: a\r\n\r\nbody\r\n"},
    {{"INBOX", {"\\Flagged", "$Label1"}, kWhen}, "Subject: b\r\n\r\n"},
    {{"INBOX", {}, kWhen},
     "Subject: c\r\n\r\nFrom x Sat Nov 21 22:44:10 2026\r\n>From y\r\n\r\n\r\n"},
    {{"INBOX", {"\\Draft", "\\Deleted"}, kWhen}, "\r\nno header\r\n\r\n"},
    {{"Work/a.b", {"\\Answered"}, kWhen},
     "Subject: d\r\n\r\n\r\nFrom z Sat Nov 21 22:44:10 2026\r\n"},
    {{"../..", {}, kWhen}, "Subject: e\r\n\r\n"},
    {{"日本語", {}, kWhen}, "Subject: f\r\n\r\n" + std::string(200'000, 'x') + "\r\n"},
};

void write_all(MailSink& sink, std::size_t piece) {
  std::string mailbox;
  for (auto& [item, bytes] : kMessages) {
    if (item.mailbox != mailbox) REQUIRE(sink.mailbox(item.mailbox));
    mailbox = item.mailbox;
    REQUIRE(sink.begin(item));
    bool written = true;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      written &= sink.write(std::string_view(bytes).substr(at, piece)).has_value();
    REQUIRE(written);
    REQUIRE(sink.end());
  }
  REQUIRE(sink.finish());
}

void compare(std::vector<Message> read) {
  REQUIRE(read.size() == std::size(kMessages));
  for (auto& [item, bytes] : kMessages) {
    CAPTURE(item.mailbox);
    CAPTURE(bytes.substr(0, 100));
    auto found = std::ranges::find(read, bytes, &Message::bytes);
    REQUIRE(found != read.end());
    CHECK(found->item.mailbox == item.mailbox);
    CHECK(found->item.received == item.received);
    auto flags = found->item.flags;
    auto wanted = item.flags;
    std::ranges::sort(flags);
    std::ranges::sort(wanted);
    CHECK(flags == wanted);
  }
}

}  // namespace

TEST_CASE("a message that is abandoned leaves nothing behind") {
  for (auto size : {std::size_t{10}, std::size_t{500'000}}) {
    testing::TemporaryDirectory top;
    auto write = [&](MailSink& sink) {
      REQUIRE(sink.mailbox("INBOX"));
      for (auto bytes : {"Subject: a\r\n\r\n", "", "Subject: b\r\n\r\n"}) {
        REQUIRE(sink.begin({"INBOX", {}, kWhen}));
        auto text = std::string_view(bytes);
        REQUIRE(sink.write(text.empty() ? "Subject: x\r\n\r\n" + std::string(size, 'x') : text));
        REQUIRE((text.empty() ? sink.abandon() : sink.end()));
      }
      REQUIRE(sink.finish());
    };
    write(*make_maildir(top.path / "maildir").value());
    write(*make_mbox(top.path / "mbox").value());
    for (auto& read : {read_all(*open_maildir(top.path / "maildir", "").value()),
                       read_all(*open_mbox(top.path / "mbox", "").value())}) {
      REQUIRE(read.size() == 2);
      CHECK(read[0].bytes == "Subject: a\r\n\r\n");
      CHECK(read[1].bytes == "Subject: b\r\n\r\n");
    }
  }
}

TEST_CASE("what is written as Maildir or mbox is read back") {
  for (auto piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    CAPTURE(piece);
    testing::TemporaryDirectory top;
    write_all(*make_maildir(top.path / "a/maildir").value(), piece);
    CHECK(recognize(top.path / "a/maildir").value() == MailFormat::Maildir);
    compare(read_all(*open_maildir(top.path / "a/maildir", "").value()));
    write_all(*make_mbox(top.path / "b/mbox").value(), piece);
    CHECK(recognize(top.path / "b/mbox").value() == MailFormat::Mbox);
    compare(read_all(*open_mbox(top.path / "b/mbox", "").value()));
    // A mailbox called ".." stays where it belongs.
    CHECK(std::distance(fs::directory_iterator(top.path), {}) == 2);
    CHECK(std::distance(fs::directory_iterator(top.path / "b"), {}) == 1);

    auto into = read_all(*open_maildir(top.path / "a/maildir", "Old").value());
    for (auto& message : into) CHECK(message.item.mailbox.starts_with("Old"));
    CHECK(make_maildir(top.path / "a").error().code == ErrorCode::Exists);
    CHECK(make_mbox(top.path / "a").error().code == ErrorCode::Exists);
  }
}

TEST_CASE("mbox files as others write them") {
  struct Case {
    std::string_view text;
    std::string_view messages;  ///< bytes, separated by |
    std::string_view flags = {};
  };
  const Case cases[] = {
      {"", ""},
      {"\n\n", ""},
      {"From a@b Fri Jul 14 02:40:00 2017\nSubject: x\n\nhello\n\n", "Subject: x\n\nhello\n"},
      {"From a@b Fri Jul 14 02:40:00 2017\r\nSubject: x\r\n\r\nhello\r\n\r\n",
       "Subject: x\n\nhello\n"},
      {"From a@b Fri Jul 14 02:40:00 2017\nSubject: x\n\nhello", "Subject: x\n\nhello\n"},
      // Thunderbird: a dash, no empty line at the end
      {"From - Fri Jul 14 02:40:00 2017\nX-Mozilla-Status: 0005\nX-Mozilla-Status2: "
       "00000000\nSubject: x\n\nhello\n\nFrom - Fri Jul 14 02:40:00 2017\nSubject: y\n\n",
       "Subject: x\n\nhello\n|Subject: y\n\n", "\\Seen \\Flagged"},
      {"From a b c@d Fri Jul 14 02:40:00 2017 +0200\nStatus: RO\nX-Status: AF\nX-Keywords: one "
       "two   \nSubject: x\n\n",
       "Subject: x\n\n", "\\Seen \\Answered \\Flagged one two"},
      // "From " within a text is a separator only behind an empty line and with a date.
      {"From a@b Fri Jul 14 02:40:00 2017\n\ntext\nFrom a@b Fri Jul 14 02:40:00 2017\nmore\n\nFrom "
       "here on\n",
       "\ntext\nFrom a@b Fri Jul 14 02:40:00 2017\nmore\n\nFrom here on\n"},
      {"From a@b Fri Jul 14 02:40:00 2017\n\n>From a\n>>From b\n> From c\n>Fromage\n",
       "\nFrom a\n>From b\n> From c\n>Fromage\n"},
      // c-client keeps notes of its own in front.
      {"From MAILER-DAEMON Fri Jul 14 02:40:00 2017\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER "
       "INTERNAL DATA\nX-IMAP: 1 2\n\nnotes\n\nFrom a@b Fri Jul 14 02:40:00 2017\nSubject: "
       "x\n\n",
       "Subject: x\n\n"},
      // no date that can be read, in the first line
      {"From somebody\nSubject: x\n\n", "Subject: x\n\n"},
      {"From a@b Fri Jul 14 02:40:00 2017\nSubject: x\n", "Subject: x\n"},
  };
  for (auto& c : cases) {
    CAPTURE(c.text);
    auto read = read_mbox(c.text);
    std::string messages;
    for (auto& message : read) {
      std::string text = message.bytes;
      for (auto at = text.find('\r'); at != std::string::npos; at = text.find('\r'))
        text.erase(at, 1);
      messages += (messages.empty() ? "" : "|") + text;
    }
    CHECK(messages == c.messages);
    if (!read.empty()) CHECK(join(read.front().item.flags, " ") == c.flags);
  }
  auto dated = read_mbox("From a@b Fri Jul 14 02:40:00 2017\nSubject: x\n\n");
  CHECK(format_rfc3339(dated.front().item.received) == "2017-07-14T02:40:00.000Z");

  testing::TemporaryDirectory top;
  std::ofstream(top.path / "other") << "Subject: no mbox\n\n";
  auto source = open_mbox(top.path / "other", "").value();
  CHECK(source->next().error().code == ErrorCode::Invalid);
  CHECK(open_mbox(top.path, "").error().code == ErrorCode::NotFound);
  CHECK(recognize(top.path / "missing").error().code == ErrorCode::NotFound);
}
