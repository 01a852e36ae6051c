// Maildir and mbox: what is written is read back, and what others wrote is understood.
#include "app/mail_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fstream>
#include <unistd.h>

#include "app/core.h"
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

namespace {

/// Root may read everything: nobody may not.
class AsNobody {
 public:
  explicit AsNobody(const fs::path& top) {
    if (::geteuid() != 0) return;
    REQUIRE(::chown(top.c_str(), kNobody, kNobody) == 0);
    REQUIRE(::seteuid(kNobody) == 0);
  }
  ~AsNobody() {
    if (::getuid() == 0 && ::seteuid(0) != 0) std::abort();
  }

 private:
  static constexpr uid_t kNobody = 65534;
};

void put(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::vector<std::string> passed_over(const MailSource& source) {
  std::vector<std::string> all;
  for (auto& error : source.passed_over().kept()) all.push_back(error.describe());
  std::ranges::sort(all);
  CHECK(source.passed_over().count() == all.size());
  return all;
}

std::string bodies(MailSource& source) {
  std::string all;
  for (auto& message : read_all(source)) all += message.bytes.substr(9, 1);
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("what cannot be read of a Maildir is named, and the rest is there") {
  testing::TemporaryDirectory top;
  AsNobody nobody(top.path);
  for (auto& [file, text] : {std::pair{"cur/1:2,", "Subject: a\n\n"},
                             {"new/2", "Subject: b\n\n"},
                             {".Cur/cur/3:2,", "Subject: x\n\n"},
                             {".Cur/new/4", "Subject: c\n\n"},
                             {".New/cur/5:2,", "Subject: d\n\n"},
                             {".New/new/6", "Subject: x\n\n"},
                             {".Gone/cur/7:2,", "Subject: x\n\n"},
                             {".One/cur/8:2,", "Subject: x\n\n"},
                             {".One/cur/9:2,", "Subject: e\n\n"}})
    put(top.path / file, text);
  fs::create_directory(top.path / ".nothing");  // no folder, and no matter
  for (auto closed : {".Cur/cur", ".New/new", ".Gone", ".One/cur/8:2,"})
    fs::permissions(top.path / closed, fs::perms::none);
  // What not even root can read.
  fs::create_directories(top.path / ".Odd/cur");
  put(top.path / ".Odd/new", "a file");
  fs::create_directory(top.path / ".Circle");
  fs::create_symlink("cur", top.path / ".Circle/cur");

  auto source = open_maildir(top.path, "").value();
  CHECK(bodies(*source) == "abcde");
  auto named = passed_over(*source);
  REQUIRE(named.size() == 6);
  const std::string place = "cannot read " + top.path.string() + "/";
  CHECK(named[0] == top.path.string() + "/.Circle/cur is a link");
  CHECK(named[1] == place + ".Cur/cur: Permission denied");
  CHECK(named[2] == place + ".Gone: Permission denied");
  CHECK(named[3] == place + ".New/new: Permission denied");
  CHECK(named[4] == place + ".Odd/new: Not a directory");
  CHECK(named[5] == place + ".One/cur/8:2,: Permission denied");
  for (auto closed : {".Cur/cur", ".New/new", ".Gone", ".One/cur/8:2,"})
    fs::permissions(top.path / closed, fs::perms::owner_all);
}

TEST_CASE("links in mail that is imported lead nowhere; what is named itself may be one") {
  testing::TemporaryDirectory other, top;
  const std::string box = "From a@b Fri Jul 14 02:40:00 2017\nSubject: x\n\n";
  put(other.path / "cur/secret", "Subject: x\n\n");
  put(other.path / "secret.mbox", box);
  put(other.path / "dovecot-keywords", "0 secret\n");
  for (auto [file, text] : {std::pair{"cur/1:2,a", "Subject: a\n\n"},
                            {".Work/cur/2:2,", "Subject: b\n\n"},
                            {".Half/cur/3:2,", "Subject: c\n\n"}})
    put(top.path / file, text);
  auto put_link = [&](const char* to, const char* at) {
    fs::create_symlink(other.path / to, top.path / at);
  };
  put_link("cur/secret", "cur/4:2,");
  put_link("cur", "new");
  put_link("cur", ".Half/new");
  put_link("", ".Linked");
  put_link("dovecot-keywords", "dovecot-keywords");
  put_link("nothing", ".dangling");
  auto link = other.path / "link";
  fs::create_symlink(top.path, link);

  auto source = open_maildir(link, "").value();
  auto found = read_all(*source);
  CHECK(found.size() == 3);
  for (auto& message : found) {
    CHECK_FALSE(message.bytes.contains("x"));
    CHECK(message.item.flags.empty());
  }
  auto named = passed_over(*source);
  const auto place = link.string() + "/";
  CHECK(named == std::vector{place + ".Half/new is a link", place + ".Linked is a link",
                             place + "cur/4:2, is a link", place + "new is a link"});

  testing::TemporaryDirectory boxes;
  put(boxes.path / "a.mbox", "From a@b Fri Jul 14 02:40:00 2017\nSubject: a\n\n");
  fs::create_symlink(other.path / "secret.mbox", boxes.path / "b.mbox");
  fs::create_directory_symlink(other.path, boxes.path / "c");
  auto directory = open_mbox(boxes.path.string() + "/", "").value();
  CHECK(bodies(*directory) == "a");
  CHECK(passed_over(*directory).size() == 2);
  CHECK(bodies(*open_mbox(boxes.path / "b.mbox", "").value()) == "x");
}

TEST_CASE("what cannot be read of a directory of mbox files is named, and the rest is there") {
  testing::TemporaryDirectory top;
  AsNobody nobody(top.path);
  const std::string begin = "From a@b Fri Jul 14 02:40:00 2017\nSubject: ";
  put(top.path / "A.mbox", begin + "a\n\n");
  put(top.path / "B.mbox", begin + "x\n\n");
  put(top.path / "C.mbox", "text\n");
  put(top.path / "D/E.mbox", begin + "x\n\n");
  put(top.path / "F/G.mbox", begin + "b\n\n");
  fs::create_symlink("H.mbox", top.path / "H.mbox");
  for (auto closed : {"B.mbox", "D"}) fs::permissions(top.path / closed, fs::perms::none);

  auto source = open_mbox(top.path, "").value();
  CHECK(bodies(*source) == "ab");
  auto named = passed_over(*source);
  REQUIRE(named.size() == 4);
  CHECK(named[0].contains("C.mbox is no mbox"));
  CHECK(named[1].contains("/H.mbox is a link"));
  CHECK(named[2].contains("/B.mbox: Permission denied"));
  CHECK(named[3].contains("/D: Permission denied"));
  CHECK(open_mbox(top.path / "D", "").error().code == ErrorCode::Denied);
  CHECK(open_mbox(top.path / "B.mbox", "").value()->next().error().code == ErrorCode::Denied);
  for (auto closed : {"B.mbox", "D"}) fs::permissions(top.path / closed, fs::perms::owner_all);
}

TEST_CASE("what a message says of itself in an mbox's words comes back, and sets no flags") {
  const std::string messages[] = {
      "X-Status: D\r\nSubject: x\r\nstatus : RO\r\nX-Keywords: $Junk\r\n more\r\n\r\nStatus: R\r\n",
      ">Status: R\r\n>>X-Mozilla-Keys: a\r\nX-Mozilla-Status: 0009\r\n\r\n",
      "Subject: x\r\nContent-Length: 1\r\nX-UID: 7\r\n\r\ntext\r\n",
      "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\nX-IMAP: 1 2\r\n\r\nmine\r\n",
      "X-IMAPbase: 1 2\r\nSubject: x\r\n\r\n",
      " folded, RADFT\r\n\tand so on\r\nSubject: x\r\n\r\n",
      "> a quote\r\n\r\n",
      "no header\r\nat all\r\nStatus: R\r\n\r\n",
      "X-Filler: " + std::string(300'000, 'x') +
          "\r\nX-Status: D\r\n>Status: R\r\n\r\n>Status: R\r\n",
  };
  for (auto& bytes : messages) {
    for (auto& flags : {std::vector<std::string>{}, {"\\Answered", "mine"}}) {
      CAPTURE(bytes.substr(0, 100));
      testing::TemporaryDirectory top;
      auto sink = make_mbox(top.path / "out").value();
      REQUIRE(sink->mailbox("INBOX"));
      for (int i = 0; i < 2; ++i) {
        REQUIRE(sink->begin({"INBOX", flags, kWhen}));
        REQUIRE(sink->write(bytes));
        REQUIRE(sink->end());
      }
      REQUIRE(sink->finish());
      auto read = read_all(*open_mbox(top.path / "out", "").value());
      REQUIRE(read.size() == 2);
      for (auto& message : read) {
        CHECK((message.bytes == bytes));
        CHECK(message.item.flags == flags);
      }
      // Nor does it for other programs.
      auto file = read_file(top.path / "out/INBOX.mbox").value();
      auto header = std::string_view(file).substr(0, file.find("\n\n"));
      for (auto word : {"\nX-Status: D", "\nstatus", "\nX-Keywords: $Junk", "\nX-Mozilla",
                        "\nX-IMAP", "\nContent-Length", "\n folded"})
        CHECK_FALSE(header.contains(word));
    }
  }
}

TEST_CASE("every mailbox is exported, whatever it is called, and comes back under its name") {
  auto repeat = [](std::string_view text, int count) {
    std::string all;
    while (count-- > 0) all += text;
    return all;
  };
  auto kana = repeat("かな", 42);  // 252 bytes, no room for ".mbox"
  const std::vector<std::string> names{"INBOX",
                                       kana,
                                       kana + "a",
                                       kana + "b",
                                       kana + "/下",
                                       kana + '/' + kana,
                                       "." + repeat("x", 254),
                                       "." + repeat("x", 254) + "/child",
                                       repeat("%2F", 255),
                                       repeat("%2F", 255) + "/child",
                                       repeat("a", 250),
                                       repeat("a", 251),
                                       repeat("a.", 120),
                                       repeat("deep/", 49) + "end",
                                       "Work/" + repeat(kana + '/', 20) + "end",
                                       "a",
                                       "a.mbox/b",
                                       "a.mbox",
                                       ".dot",
                                       "\\2edot",
                                       "INCOMPLETE/x",
                                       "LONG-NAMES/x",
                                       "LONG-NAMES"};
  auto names_in = [&](MailSource& source) {
    std::vector<std::string> read;
    for (auto& message : read_all(source)) {
      CHECK(message.bytes == "Subject: " + message.item.mailbox + "\r\n\r\n");
      read.push_back(message.item.mailbox);
    }
    CHECK(source.passed_over().count() == 0);
    std::ranges::sort(read);
    return read;
  };
  for (bool mbox : {false, true}) {
    CAPTURE(mbox);
    testing::TemporaryDirectory top;
    auto write = [&](const fs::path& path, const std::vector<std::string>& mailboxes) {
      auto sink = (mbox ? make_mbox : make_maildir)(path).value();
      put(path / kIncompleteNote, "");  // as the command does
      for (auto& name : mailboxes) {
        CAPTURE(name);
        REQUIRE(sink->mailbox(name));
        REQUIRE(sink->begin({name, {}, kWhen}));
        REQUIRE(sink->write("Subject: " + name + "\r\n\r\n"));
        REQUIRE(sink->end());
      }
      REQUIRE(sink->finish());
      return sink->long_names().all();
    };
    auto open = [&](const fs::path& path, const std::string& into) {
      return (mbox ? open_mbox : open_maildir)(path, into).value();
    };
    auto told = write(top.path / "first", names);
    auto long_one = std::ranges::find(told, mbox ? kana : kana + '/' + kana,
                                      [](auto& one) { return one.second; });
    REQUIRE(long_one != told.end());
    CHECK(fs::exists(top.path / "first" / long_one->first));
    // A mailbox that is called as that shortened one is: both are there.
    auto all = names;
    fs::remove(top.path / "first" / LongNames::kFile);
    for (auto& message : read_all(*open(top.path / "first", "")))
      if (message.bytes == "Subject: " + long_one->second + "\r\n\r\n")
        all.push_back(message.item.mailbox);
    REQUIRE(all.size() == names.size() + 1);
    CHECK_FALSE(all.back() == long_one->second);
    write(top.path / "second", all);
    std::ranges::sort(all);
    CHECK(names_in(*open(top.path / "second", "")) == all);
    for (auto& message : read_all(*open(top.path / "second", "Old")))
      CHECK(message.item.mailbox.starts_with("Old"));
  }
}
