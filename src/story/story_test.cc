#include "story/story.h"

#include <doctest/doctest.h>

#include "store/memory_transaction.h"

namespace hikyaku::story {
namespace {

using Kind = RecipientOutcome::Kind;

const Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(10);

Arrival an_arrival() {
  Arrival arrival;
  arrival.protocol = "ESMTPS";
  arrival.peer = "192.0.2.1:4711";
  arrival.helo = "mx.beta.test";
  arrival.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384";
  arrival.mail_from = "Bob@beta.test";
  arrival.header_from = "boss@beta.test";
  arrival.message_id = "<1@beta.test>";
  arrival.subject = "Lunch";
  arrival.size = 1234;
  arrival.findings = {{"spf", "pass", "192.0.2.1 is in a:mx.beta.test"}};
  return arrival;
}

TEST_CASE("the checks of a sender are told in words") {
  struct Case {
    Finding finding;
    std::string_view words;
  };
  const Case kCases[] = {
      {{"spf", "fail", "domain=a.test; by=-all; asked=TXT a.test"},
       "spf: fail: a.test says that this client may not send its mail (by -all) [asked: TXT "
       "a.test]"},
      {{"spf", "none", "domain=a.test"}, "spf: none: a.test does not say who may send its mail"},
      {{"spf", "none", ""}, "spf: none: there is no domain to ask about"},
      {{"spf", "temperror", "domain=a.test; problem=SERVFAIL = no"},
       "spf: temperror: a.test could not be asked: SERVFAIL = no"},
      {{"dkim", "none", ""}, "dkim: none: the message is not signed"},
      {{"dkim", "fail", "domain=a.test; selector=s; algorithm=rsa-sha256; problem=changed"},
       "dkim: fail: a signature of a.test (selector s, rsa-sha256): changed"},
      {{"dmarc", "pass", "from=shop.co.uk; dkim=evil.co.uk; rfc7489=fail; rfc7489-policy=reject"},
       "it comes from shop.co.uk, as DKIM (evil.co.uk) shows; by the older rules (RFC 7489) it "
       "would "
       "be fail, policy reject\n"},
      {{"dmarc", "fail",
        "from=a.test; at=a.test; policy=reject; rfc7489=fail; rfc7489-policy=reject; "
        "rfc7489-percent=20"},
       "policy at _dmarc.a.test is reject; by the older rules (RFC 7489) it would be fail, policy "
       "reject for 20 % of the mail"},
      {{"arc", "pass", "sealer=l.test; trusted=l.test"},
       "arc: pass: the chain is whole; l.test is"},
      {{"arc-seal", "sealed", "domain=b.test; selector=s"},
       "arc-seal: sealed: sealed as b.test (selector s)"},
      {{"arc-seal", "unsealed", "domain=b.test; problem=no key of b.test is active"},
       "b.test sends it on without a seal: no key of b.test is active"},
      {{"dkim-sign", "signed", "d=a.test; s=s1,s2"}, "signed as a.test (selector s1,s2)"},
      {{"dkim-sign", "unsigned", "d=a.test; problem=no key of a.test is active"},
       "it leaves without a signature of a.test: no key of a.test is active"},
      {{"dkim-sign", "unsigned", "a reason in words"}, "dkim-sign: unsigned: a reason in words"},
      {{"failure-report", "sent", "domain=a.test; to=r@a.test"}, "r@a.test gets a report"},
      {{"failure-report", "limited", "domain=a.test; to=r@a.test"}, "too many in this hour"},
      {{"failure-report", "refused", "domain=a.test; to=r@b.test; problem=no record"},
       "it has not agreed (no record)"},
      {{"failure-report", "unasked", "domain=a.test; to=r@b.test; problem=SERVFAIL"},
       "could not be asked (SERVFAIL)"},
      {{"failure-report", "dropped", "domain=a.test; to=r@a.test; problem=the disk is full"},
       "it could not be written (the disk is full)"},
      {{"failure-report", "of tomorrow", "domain=a.test"}, "failure-report: of tomorrow: domain="},
      {{"dmarc", "pass", "from=a.test; dkim=a.test"},
       "it comes from a.test, as DKIM (a.test) shows"},
      {{"dmarc", "fail", "from=a.test; policy=reject; at=a.test; author=several-from-fields"},
       "whose policy at _dmarc.a.test is reject (there is more than one From field, and programs "
       "differ in which one they show)"},
      {{"blocklists", "listed", "list=b.test 127.0.0.2; list=c.test 127.0.0.3; weight=2"},
       "the client stands on: b.test 127.0.0.2, c.test 127.0.0.3; together they weigh 2"},
      {{"decision", "refuse", "why=refused; for=spf-fail-helo,blocklisted"},
       "refused: it failed, the domain asks for refusal, and more speaks for it: SPF says fail for "
       "HELO, the client is on blocklists"},
      {{"decision", "junk",
        "why=speaks-against; against=known-list,known-forwarder; known-list=l.test; "
        "known-forwarder=192.0.2.0/24"},
       "but something speaks against it: it came through a known mailing list (l.test), it came "
       "through a known forwarder (192.0.2.0/24)\n"},
      {{"decision", "junk", "why=speaks-against; against=known-list"},  // as it was kept before
       "but something speaks against it: it came through a known mailing list\n"},
      {{"decision", "report", "why=quarantined"}, "taken for the reports: "},
      {{"decision", "junk", "why=no-such-reason"}, "decision: junk: why=no-such-reason"},
      {{"spf", "fail", "domain=\x1b[31m"}, "?"},  // whatever is stored, a terminal is safe
      {{"spf", "pass", "in words already"}, "spf: pass: in words already"},
  };
  for (auto& [finding, words] : kCases) {
    Story story;
    story.arrival = an_arrival();
    story.arrival->findings = {finding};
    auto text = tell(story, Language::English);
    CHECK_MESSAGE(text.find(words) != std::string::npos, text);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK_FALSE(tell(story, Language::Japanese).empty());
  }
}

TEST_CASE("our own checks and their results have names in Japanese, protocols' words stay") {
  Story story;
  story.arrival = an_arrival();
  story.arrival->findings = {{"decision", "junk", "why=quarantined"},
                             {"notices", "withheld", "by=spf; to=x@b.test"},
                             {"blocklists", "clear", ""},
                             {"dsn", "left out", "the queue is full"},
                             {"spf", "pass", "domain=b.test; by=mx"}};
  auto text = tell(story, Language::Japanese);
  for (std::string_view words :
       {"    判断: 迷惑メール: ", "    通知: 送らない: ", "    ブロックリスト: 掲載なし\n",
        "    dsn: 省略: キューがいっぱいです\n", "    spf: pass: "})
    CHECK_MESSAGE(text.contains(words), text);
}

TEST_CASE("why mail leaves unsigned or unsealed is told in Japanese, too") {
  for (std::string problem : {
           "no key of a.test is active",
           "the key file of s1._domainkey.a.test is not of the key that a.test publishes",
           "the RSA key has 512 bits, fewer than 1024 (RFC 8301 §3.2)",
           "a ECDSA P-256 key cannot sign DKIM: use RSA or Ed25519",
           "the message is not signed: there are 2 From fields",
           "no private key in PEM form found",
       }) {
    for (std::string check : {"dkim-sign", "arc-seal"}) {
      Story story;
      story.arrival = an_arrival();
      auto result = check == "arc-seal" ? "unsealed" : "unsigned";
      story.arrival->findings = {{check, result, "d=a.test; domain=a.test; problem=" + problem}};
      auto text = tell(story, Language::Japanese);
      CHECK_MESSAGE(text.find(problem) == std::string::npos, text);
      CHECK_MESSAGE(text.find(problem.substr(0, 9)) == std::string::npos, text);
    }
  }
}

TEST_CASE("a number is unique, sorts by time and reads back") {
  auto id = make_message_id(kNow, 12345);
  CHECK(time_of(id) == kNow);
  CHECK(to_text(id).size() == 13);
  CHECK(parse_message_id(to_text(id)) == id);
  CHECK(parse_message_id("short") == std::nullopt);
  CHECK(parse_message_id("UUUUUUUUUUUUU") == std::nullopt);  // U is no digit
  CHECK(make_message_id(kNow + milliseconds(1), 0) > make_message_id(kNow, 0x3FFFFF));
}

TEST_CASE("a message is found by number, addresses and Message-ID, and told in words") {
  store::MemoryTransaction tx;
  auto id = make_message_id(kNow, 1);
  tx.begin();
  record_arrival(tx, id, an_arrival(),
                 {{"anna@alpha.test", Kind::Delivered, "mailbox INBOX of anna@alpha.test, UID 1"}});
  record_attempt(tx, id,
                 {.recipient = "c@gamma.test",
                  .number = 1,
                  .host = "mx.gamma.test",
                  .endpoint = "192.0.2.9:25",
                  .tls = "",
                  .result = "deferred",
                  .reply = "451 4.7.1 \x1b[31mlater",
                  .next = "2026-11-21T10:05:00.000Z",
                  .findings = {}},
                 kNow + milliseconds(5));
  record_note(tx, id, "held by root", kNow + milliseconds(9));

  auto since = kNow - std::chrono::hours(1);
  CHECK(find_by_address(tx, "ANNA@alpha.test", since, 10) == std::vector<MessageId>{id});
  CHECK(find_by_address(tx, "bob@beta.test", since, 10).size() == 1);
  CHECK(find_by_address(tx, "boss@beta.test", since, 10).size() == 1);
  CHECK(find_by_message_id(tx, "<1@beta.test>", since, 10).size() == 1);
  CHECK(find_by_address(tx, "nobody@beta.test", since, 10).empty());
  CHECK(find_by_address(tx, "anna@alpha.test", kNow + milliseconds(1), 10).empty());

  auto story = find_story(tx, id);
  REQUIRE(story);
  REQUIRE(story->events.size() == 2);
  auto text = tell(*story, Language::English);
  CHECK(text.find("shown as from boss@beta.test, really sent by Bob@beta.test") !=
        std::string::npos);
  CHECK(text.find("spf: pass: 192.0.2.1 is in a:mx.beta.test") != std::string::npos);
  CHECK(text.find("delivered: mailbox INBOX") != std::string::npos);
  CHECK(text.find("451 4.7.1 \\x1b[31mlater") !=
        std::string::npos);  // no terminal codes from strangers
  CHECK(text.find("held by root") != std::string::npos);
  CHECK(tell(*story, Language::Japanese).find("拒否") == std::string::npos);
  CHECK(tell(*story, Language::Japanese).find("届きました") != std::string::npos);
  CHECK(tell(*story, Language::Japanese).find("anna@alpha.test のメールボックス INBOX、UID 1") !=
        std::string::npos);
  CHECK(to_json(*story).starts_with("{\"id\":\""));
}

TEST_CASE("the envelope's sender is told as sender only when a login or SPF proves it") {
  struct Case {
    std::string header_from, mail_from, login;
    std::vector<Finding> findings;
    std::string english, japanese;
  };
  for (auto& c : {
           Case{"boss@a.test",
                "bob@a.test",
                "",
                {{"spf", "pass", "domain=a.test; by=mx"}},
                "shown as from boss@a.test, really sent by bob@a.test\n",
                "表示上の差出人は boss@a.test、実際の送信者は bob@a.test\n"},
           Case{"boss@a.test",
                "bob@a.test",
                "bob@a.test (PLAIN)",
                {},
                "shown as from boss@a.test, really sent by bob@a.test\n",
                "表示上の差出人は boss@a.test、実際の送信者は bob@a.test\n"},
           Case{"boss@a.test",
                "boss@a.test",
                "",
                {{"spf", "fail", "domain=a.test; by=-all"}},
                "shown as from boss@a.test; its envelope names boss@a.test as sender\n",
                "表示上の差出人は boss@a.test、エンベロープの差出人は boss@a.test\n"},
           // The name in HELO says nothing of the sender.
           Case{"boss@a.test",
                "boss@a.test",
                "",
                {{"spf-helo", "pass", "domain=b.test; by=a"}},
                "shown as from boss@a.test; its envelope names boss@a.test as sender\n",
                "表示上の差出人は boss@a.test、エンベロープの差出人は boss@a.test\n"},
           Case{"boss@a.test",
                "",
                "",
                {{"spf", "pass", "domain=a.test; by=a"}},
                "shown as from boss@a.test; its envelope names nobody (<>",
                "エンベロープの差出人は なし(<>"},
           Case{"",
                "anna@a.test",
                "",
                {},
                "    its envelope names anna@a.test as sender\n",
                "    エンベロープの差出人は anna@a.test\n"},
           Case{"",
                "anna@a.test",
                "anna@a.test (PLAIN)",
                {},
                "    sent by anna@a.test\n",
                "    送信者は anna@a.test\n"},
       }) {
    Story story;
    story.arrival = an_arrival();
    story.arrival->header_from = c.header_from;
    story.arrival->mail_from = c.mail_from;
    story.arrival->login = c.login;
    story.arrival->findings = c.findings;
    auto english = tell(story, Language::English);
    auto japanese = tell(story, Language::Japanese);
    CHECK_MESSAGE(english.contains(c.english), english);
    CHECK_MESSAGE(japanese.contains(c.japanese), japanese);
  }
}

TEST_CASE("what is recorded in English is told in Japanese") {
  for (auto& [recorded, words] : std::initializer_list<std::pair<std::string, std::string>>{
           {"read: a report about alpha.test (messages: 468, passed: 428)",
            "alpha.test についての報告 (468 通、うち合格 428 通)"},
           {"ignored: a report about foreign.org (not our domain)",
            "foreign.org についての報告(このサーバーのドメインではありません)"},
           {"not counted: a report about a.test (messages: 7, passed: 6): nothing shows that it "
            "comes "
            "from b.test",
            "数えません: a.test についての報告 (7 通、うち合格 6 通): b.test "
            "からのものであることを示すものがありません"},
           {"read: a report about a.test (messages: 7, passed: 6, records left out as unreadable: "
            "2)",
            "(7 通、うち合格 6 通。読めない記録 2 件を除く)"},
           {"read: a report about a.test (messages: 7, passed: 6)", "(7 通、うち合格 6 通)"},
           {"could not be read: there is no report in the mail",
            "読めませんでした: メールに報告がありません"},
           {"could not be read: the document declares entities or elements", "エンティティ"},
           {"there is no domain nowhere.test", "nowhere.test というドメインはありません"},
       }) {
    Story story;
    Story::Event note{.at = kNow, .attempt = {}, .note = Note{recorded}};
    Story::Event attempt{.at = kNow, .attempt = Attempt{}, .note = {}};
    attempt.attempt->reply = recorded;
    story.events = {note, attempt};
    auto text = tell(story, Language::Japanese);
    CHECK_MESSAGE(text.contains(words), text);
    CHECK_MESSAGE(text.find(words) != text.rfind(words), text);
    CHECK(tell(story, Language::English).contains(recorded));
    story.events.front().note->text = "読めませんでした";  // no phrase: as it is
    CHECK(tell(story, Language::Japanese).contains("読めませんでした"));
  }
  Story story;
  story.arrival = an_arrival();
  story.arrival->findings = {{"iprev", "permerror", "problem=the address has no name"},
                             {"sender", "unchecked", "client=loopback"},
                             {"dsn", "sent to", "bob@beta.test"}};
  story.recipients = {{"dmarc@alpha.test", Kind::Delivered, "to the reports about our domains"}};
  auto text = tell(story, Language::Japanese);
  for (std::string words :
       {"iprev: permerror: アドレスに逆引き名がありません", "送信者: 検証なし: 接続元は",
        "dsn: 送信: bob@beta.test", "自ドメインについての報告として"})
    CHECK_MESSAGE(text.contains(words), text);
}

TEST_CASE("whoever gets a message through an alias finds it") {
  store::MemoryTransaction tx;
  auto id = make_message_id(kNow, 1);
  tx.begin();
  record_arrival(tx, id, an_arrival(),
                 {{"info@alpha.test", Kind::Delivered,
                   "alias info@alpha.test: mailbox mail of boss, UID 1 of anna@alpha.test, UID 1",
                   "anna@alpha.test"},
                  {"info@alpha.test", Kind::Queued, "alias info@alpha.test: to far@gamma.test",
                   "far@gamma.test"},
                  {"Bob@alpha.test", Kind::Delivered, "", "bob@alpha.test"}});
  for (auto address : {"info@alpha.test", "anna@alpha.test", "far@gamma.test"})
    CHECK(find_by_address(tx, address, kNow, 10).size() == 1);
  auto recipients = find_story(tx, id)->recipients;
  REQUIRE(recipients.size() == 3);
  CHECK(recipients[0].kind == Kind::Delivered);
  CHECK(recipients[0].taker == "anna@alpha.test");
  CHECK(recipients[1].kind == Kind::Queued);
  CHECK(recipients[1].taker == "far@gamma.test");
  CHECK(recipients[2].taker.empty());  // the recipient itself
  CHECK(to_json(*find_story(tx, id)).contains(R"("outcome":"queued")"));
}

TEST_CASE("stories from before takers were recorded, and from programs that know more") {
  store::MemoryTransaction tx;
  auto id = make_message_id(kNow, 1);
  tx.begin();
  record_arrival(tx, id, an_arrival(), {{"info@alpha.test", Kind::Delivered, "somewhere", "a@b"}});
  auto row = *tx.keys().begin();
  tx.put(row.first, std::string_view(row.second).substr(0, row.second.size() - 4));
  auto before = find_story(tx, id)->recipients;
  REQUIRE(before.size() == 1);
  CHECK(before[0].kind == Kind::Delivered);
  CHECK(before[0].taker.empty());
  auto later = row.second;
  later.replace(later.find("delivered"), 9, "teleporte");
  tx.put(row.first, later);
  auto story = find_story(tx, id);
  CHECK(story->recipients[0].kind == Kind::Unknown);
  CHECK(tell(*story, Language::English).find("for info@alpha.test: somewhere") !=
        std::string::npos);
}

TEST_CASE("a detail that looks like a place, but is none, is told as it is") {
  for (std::string_view detail :
       {"mailbox", "mailbox ", ", UID 1", "mailbox of , UID 1", " of mailbox , UID 1", "x, UID "}) {
    Story story;
    story.arrival = an_arrival();
    story.recipients = {{"a@b", Kind::Delivered, std::string(detail)}};
    CHECK(tell(story, Language::Japanese).find("a@b 宛") != std::string::npos);
  }
}

TEST_CASE("what was refused before its data came is told without a header") {
  Story story;
  story.arrival = an_arrival();
  story.arrival->header_from.clear();
  story.arrival->message_id.clear();
  story.arrival->size = 0;
  story.recipients = {{"nobody@alpha.test", Kind::Refused, "550 5.1.1 No such mailbox"}};
  auto text = tell(story, Language::English);
  CHECK(text.find("sent by Bob@beta.test") != std::string::npos);
  CHECK(text.find("550 5.1.1 No such mailbox") != std::string::npos);
  CHECK(text.find("Message-ID") == std::string::npos);
  CHECK(text.find("shown as") == std::string::npos);
}

TEST_CASE("another text of the same hash finds nothing") {
  store::MemoryTransaction tx;
  auto id = make_message_id(kNow, 1);
  tx.begin();
  record_arrival(tx, id, an_arrival(), {{"anna@alpha.test", Kind::Delivered, ""}});
  CHECK(find_by_address(tx, " Anna@alpha.test", kNow, 10).size() == 1);
  for (auto& [key, value] : std::map(tx.keys()))
    if (value == "anna@alpha.test") tx.put(key, "mallory@alpha.test");  // as if the hashes met
  CHECK(find_by_address(tx, "anna@alpha.test", kNow, 10).empty());
  for (auto& [key, value] : std::map(tx.keys()))
    if (value == "mallory@alpha.test") tx.put(key, "");
  CHECK(find_by_address(tx, "anna@alpha.test", kNow, 10).size() == 1);
  // What is longer than rows are is found by its beginning.
  auto strange = an_arrival();
  strange.message_id = "<" + std::string(5'000, 'x') + "@beta.test>";
  record_arrival(tx, make_message_id(kNow, 2), strange, {});
  CHECK(find_by_message_id(tx, strange.message_id, kNow, 10).size() == 1);
}

TEST_CASE("newest first over several days, and no more than asked for") {
  store::MemoryTransaction tx;
  std::vector<MessageId> ids;
  tx.begin();
  for (int day = 0; day < 4; ++day) {
    ids.push_back(make_message_id(kNow + std::chrono::days(day), 1));
    record_arrival(tx, ids.back(), an_arrival(), {});
  }
  CHECK(find_by_address(tx, "bob@beta.test", kNow, 3) ==
        std::vector<MessageId>{ids[3], ids[2], ids[1]});
  auto rows = tx.keys().size();
  int pieces = 1;
  for (; !trim(tx, kNow + std::chrono::days(2), 2); ++pieces) {
    CHECK(rows - tx.keys().size() == 2);
    rows = tx.keys().size();
  }
  CHECK(pieces > 2);
  CHECK(find_by_address(tx, "bob@beta.test", kNow, 9) == std::vector<MessageId>{ids[3], ids[2]});
  CHECK(!find_story(tx, ids[0]));
}

TEST_CASE("an ordinary message's story is small, a hostile one's too") {
  store::MemoryTransaction tx;
  auto id = make_message_id(kNow, 1);
  tx.begin();
  record_arrival(tx, id, an_arrival(),
                 {{"anna@alpha.test", Kind::Delivered, "mailbox INBOX of anna@alpha.test, UID 1"}});
  auto arrival_row = tx.keys().begin();
  CHECK(arrival_row->second.size() <= 300);
  auto hostile = an_arrival();
  hostile.subject = std::string(1'000'000, 'x');
  hostile.helo = std::string(1'000'000, '\xff');
  hostile.findings.assign(10'000, {"x", "y", std::string(10'000, 'z')});
  auto other = make_message_id(kNow, 2);
  record_arrival(
      tx, other, hostile,
      std::vector<RecipientOutcome>(5'000, {"a@b", Kind::Refused, std::string(9'999, 'q')}));
  for (auto& [key, value] : tx.keys()) CHECK(value.size() < 500'000);
  REQUIRE(find_story(tx, other));
}

TEST_CASE("why a signature did not pass is told in both languages") {
  Story story;
  story.arrival.emplace();
  story.arrival->findings = {
      {"dkim", "fail",
       "domain=a.test; selector=s1; algorithm=rsa-sha256; problem=the body was changed: its hash "
       "is "
       "not that of bh=, the signature does not fit the header: it was changed, or signed by "
       "another key"},
      {"arc", "fail", "problem=ARC-Seal i=2: there is no key s._domainkey.b.test: no answer"},
      {"failure-report", "limited", "domain=a.test; to=r@a.test"}};
  auto english = tell(story, Language::English);
  CHECK(english.contains("the body was changed"));
  CHECK(english.contains("r@a.test gets no report"));
  auto japanese = tell(story, Language::Japanese);
  CHECK(japanese.contains("本文が改変されています"));
  CHECK(japanese.contains("署名がヘッダーと一致しません"));
  CHECK(japanese.contains("ARC-Seal i=2: 鍵 s._domainkey.b.test がありません: 応答がありません"));
  CHECK_FALSE(japanese.contains("changed"));
  CHECK_FALSE(japanese.contains("there is"));
}

TEST_CASE("nothing is told that did not happen") {
  Story story;
  story.arrival = an_arrival();
  story.arrival->tls.clear();
  for (auto& [peer, clear] : {std::pair{"192.0.2.1:4025", true},
                              {"127.0.0.1:4025", false},
                              {"[::1]:4025", false},
                              {"", false}}) {
    story.arrival->peer = peer;
    CHECK(tell(story, Language::English).contains("in clear") == clear);
    CHECK(tell(story, Language::Japanese).contains("平文") == clear);
  }
  Story::Event event{.at = kNow, .attempt = Attempt{}, .note = {}};
  event.attempt->result = "bounced";
  story.events = {event};
  CHECK(tell(story, Language::English).contains("nobody was called"));
  story.events.front().attempt->host = "mx.beta.test";
  CHECK(tell(story, Language::English).contains("refused for good"));
  CHECK_FALSE(tell(story, Language::English).contains("nobody was called"));
  story.arrival->findings = {{"dkim", "ignored", "signatures=1"},
                             {"return-path", "removed", "fields=2"},
                             {"authentication-results", "removed", "fields=1; claimed=mx.a.test"},
                             {"decision", "sent-on", "why=quarantined"}};
  auto text = tell(story, Language::English);
  for (std::string_view words :
       {"one more signature was not looked at", "a Return-Path field that came with it was removed",
        "one field that claims to be from mx.a.test was removed",
        "decision: sent-on: sent on with"})
    CHECK_MESSAGE(text.contains(words), text);
}

}  // namespace
}  // namespace hikyaku::story
