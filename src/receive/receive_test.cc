#include <algorithm>
#include <doctest/doctest.h>

#include "base/started.h"
#include "dns/fake_resolver.h"
#include "mailbox/digest.h"
#include "mime/address.h"
#include "mime/header.h"
#include "queue/injector.h"
#include "receive/receiver.h"
#include "receive/submission_header.h"
#include "reports/received.h"
#include "story/story.h"
#include "testing/world.h"

namespace hikyaku::receive {
namespace {

using testing::World;

const Time kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21);

TEST_CASE("what our users' mail gets and loses") {
  struct Case {
    std::string_view before, after;
  };
  constexpr std::string_view kDate = "Date: Sat, 21 Nov 2026 00:00:00 +0000\r\n";
  constexpr std::string_view kFrom = "From: <anna@alpha.test>\r\n";
  constexpr std::string_view kId = "Message-ID: <id@alpha.test>\r\n";
  for (auto& c : {
           Case{"", "DFI\r\n"},
           Case{"\r\n", "DFI\r\n"},
           Case{"Subject: x\r\n", "DFISubject: x\r\n"},
           Case{"Subject: x\r\n\r\n", "DFISubject: x\r\n\r\n"},
           Case{"from: <b@c>\r\ndate: now\r\nmessage-id: <x@y>\r\n\r\n",
                "from: <b@c>\r\ndate: now\r\nmessage-id: <x@y>\r\n\r\n"},
           Case{"Bcc: a@b,\r\n c@d\r\n\te@f\r\nTo: x@y\r\nBCC:z@z\r\n\r\n", "DFITo: x@y\r\n\r\n"},
           Case{"Resent-Bcc: a@b\r\nReturn-Path: <x@y>\r\nTo: x@y\r\n\r\n", "DFITo: x@y\r\n\r\n"},
           Case{"Bcc: a@b\r\n", "DFI\r\n"},
           Case{"Bcc: a@b\r\n\r\n", "DFI\r\n"},
           Case{"just words\r\nand more\r\n", "DFI\r\njust words\r\nand more\r\n"},  // no header
           Case{"just words\r\n\r\nmore\r\n", "DFI\r\njust words\r\n\r\nmore\r\n"},
           Case{"Subject: x\r\nwords without an empty line\r\n",
                "DFISubject: x\r\n\r\nwords without an empty line\r\n"},
       }) {
    CAPTURE(c.before);
    std::string expected(c.after);
    if (expected.starts_with("DFI"))
      expected = std::string(kDate) + std::string(kFrom) + std::string(kId) + expected.substr(3);
    CHECK(complete_header(c.before, {"anna@alpha.test", kNow, "id@alpha.test"}) == expected);
  }
}

/// A World and one way in.
struct Fixture : World {
  Peer server() {
    Peer peer;
    peer.kind = Peer::Kind::Server;
    peer.endpoint = {*IpAddress::parse("198.51.100.7"), 40000};
    peer.hello = "mx.beta.test";
    peer.with = "ESMTPS";
    peer.tls = "TLSv1.3 TLS_AES_128_GCM_SHA256";
    return peer;
  }
  Peer user() {
    auto peer = server();
    peer.kind = Peer::Kind::User;
    peer.hello = "laptop";
    peer.with = "ESMTPSA";
    peer.login = auth::Login{anna.id, anna.address, "PLAIN", "password"};
    return peer;
  }
  static smtp::Mailbox mailbox(std::string_view address) {
    return smtp::parse_mailbox(address, {.characters = smtp::Characters::Utf8, .limits = {}})
        .value();
  }
  static smtp::Transaction envelope(std::string_view from,
                                    const std::vector<std::string>& recipients) {
    smtp::Transaction transaction;
    if (!from.empty()) transaction.from.mailbox = mailbox(from);
    for (auto& to : recipients) transaction.recipients.push_back({mailbox(to), {}});
    return transaction;
  }
  smtp::Reply send(const Peer& peer, const smtp::Transaction& transaction, std::string_view message,
                   std::size_t piece = 16 * 1024) {
    auto incoming = receiver->begin(peer, transaction);
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
      loop.run(incoming->append(message.substr(0, piece)));
    last = incoming->id();
    return loop.run(incoming->finish());
  }
  story::MessageId last = 0;
};

constexpr std::string_view kMessage =
    "From: <x@beta.test>\r\nTo: anna@alpha.test\r\nSubject: hello\r\n"
    "Message-ID: <m@beta.test>\r\n\r\nbody\r\n";

constexpr std::string_view kFromAnna = "From: <anna@alpha.test>\r\nSubject: hello\r\n\r\nbody\r\n";

TEST_CASE("a full queue puts off what would be queued, and nothing else") {
  Fixture f;
  f.settings.max_queued = 2;
  f.make_receiver();
  auto at_rcpt = [&](const Peer& peer, std::string_view to, std::uint64_t size = 0) {
    auto refusal = f.loop.run(f.receiver->check_recipient(peer, Fixture::mailbox(to), size));
    return refusal ? refusal->code : 250;
  };
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"x@beta.test", "y@beta.test"}),
               kFromAnna)
            .positive());
  REQUIRE(f.queued().size() == 2);
  CHECK(at_rcpt(f.user(), "z@beta.test") == 452);
  CHECK(at_rcpt(f.server(), "away@alpha.test") == 452);
  CHECK(at_rcpt(f.server(), "z@beta.test") == 550);
  CHECK(at_rcpt(f.server(), "bob@alpha.test") == 250);

  // They were told yes before the queue was full.
  auto late = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"z@beta.test"}), kFromAnna);
  CHECK(late.to_string().starts_with("452 4.3.1"));
  late = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test", "z@beta.test"}),
                kFromAnna);
  CHECK(late.to_string().starts_with("452 4.3.1"));
  CHECK(f.inbox(f.bob.id).empty());
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), kMessage)
            .positive());
  CHECK(f.inbox(f.bob.id).size() == 1);

  // What is told to the sender of something that was accepted goes on.
  queue::Injection bounce{"", {"x@beta.test"}, std::string(kMessage), "BOUNCE"};
  CHECK(f.loop.run(f.receiver->inject(bounce, {})));
  CHECK(f.queued().size() == 3);

  // A notice of success, which a stranger has asked for, does not.
  auto confirmed = Fixture::envelope("x@beta.test", {"bob@alpha.test"});
  confirmed.recipients[0].parameters.notify = smtp::Notify{.success = true};
  for (int i = 0; i < 3; ++i) CHECK(f.send(f.server(), confirmed, kMessage).positive());
  CHECK(f.inbox(f.bob.id).size() == 4);
  CHECK(f.queued().size() == 3);
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story);
  CHECK(story->arrival->findings.back().result == "left out");

  f.settings.max_queued = 10;
  f.settings.max_queued_bytes = 100'000;
  f.make_receiver();
  CHECK(f.send(f.server(), confirmed, kMessage).positive());
  CHECK(f.queued().size() == 4);
  CHECK(at_rcpt(f.user(), "z@beta.test", 90'000) == 250);
  CHECK(at_rcpt(f.user(), "z@beta.test", 100'000) == 452);
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"z@beta.test"}),
               std::string(kFromAnna) + std::string(100'000, 'x'))
            .code == 452);
}

TEST_CASE("a report too many is to come again; what others get is theirs") {
  Fixture f;
  auto report = Fixture::envelope("x@beta.test", {"dmarc-reports@alpha.test"});
  CHECK(f.send(f.server(), report, kMessage).positive());
  auto sender = reports::list_taken(f.store.keys(), 1).at(0).sender;
  for (std::uint64_t i = 1; i < reports::kMostUnprovedADay; ++i)
    REQUIRE(reports::take_in(f.store.keys(), {1000 + i, 0, f.loop.now(), "", sender},
                             store::MemoryTransaction::stage("mail")));
  CHECK(f.send(f.server(), report, kMessage).to_string().starts_with("452 4.3.2"));
  auto both = Fixture::envelope("x@beta.test", {"dmarc-reports@alpha.test", "bob@alpha.test"});
  CHECK(f.send(f.server(), both, kMessage).positive());
  CHECK(f.inbox(f.bob.id).size() == 1);
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story);
  CHECK(story->recipients.at(0).kind == story::RecipientOutcome::Kind::Refused);
  CHECK(story->recipients.at(0).detail.starts_with("452 4.3.2"));
}

TEST_CASE("a message has our fields in front, and its digest speaks of all of it") {
  Fixture f;
  auto reply =
      f.send(f.server(), Fixture::envelope("x@beta.test", {"anna+list@alpha.test"}), kMessage);
  CHECK(reply.to_string() == "250 2.0.0 Accepted as " + story::to_text(f.last));
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 1);
  auto& bytes = mails[0].bytes;
  CHECK(
      bytes.starts_with("Return-Path: <x@beta.test>\r\nDelivered-To: anna@alpha.test\r\n"
                        "Received: from mx.beta.test ([198.51.100.7])\r\n"));
  CHECK(bytes.ends_with(kMessage));
  auto received = mime::HeaderView(bytes).value("Received");
  for (auto part : {"by mx.alpha.test", "with ESMTPS", "TLSv1.3", "for <anna+list@alpha.test>"})
    CHECK(received.find(part) != std::string::npos);
  CHECK(received.find(story::to_text(f.last)) != std::string::npos);
  CHECK(mails[0].record.size == bytes.size());
  auto digest = mailbox::make_digest(mails[0].record.prefix, kMessage);
  CHECK(mails[0].record.digest.envelope == digest.envelope);
  CHECK(mails[0].record.digest.header_fields == digest.header_fields);
  CHECK(digest.header_fields.find("Delivered-To: anna@alpha.test") != std::string::npos);
}

TEST_CASE("what was here before for an address does not go round again") {
  Fixture f;
  auto server = f.server();
  REQUIRE(
      f.send(server, Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage).positive());
  auto again = f.inbox(f.anna.id)[0].bytes;
  auto fields = again.substr(0, again.size() - kMessage.size());
  REQUIRE(
      f.send(server, Fixture::envelope("x@beta.test", {"away@alpha.test"}), kMessage).positive());
  auto number = story::to_text(f.last);
  auto sent_on =
      "Delivered-To: away@alpha.test\r\nReceived: by MX.alpha.test (a \\) with b) with "
      "ESMTP\r\n\tid " +
      number + "; now\r\n" + std::string(kMessage);
  auto hop = std::string("Received: from mx.alpha.test by mx.beta.test with SMTP id 1; now\r\n");
  auto replaced = [](std::string text, std::string_view from, std::string_view to) {
    return text.replace(text.find(from), from.size(), to);
  };
  struct Case {
    std::string message, to;
    bool refused;
  };
  for (auto& c : {
           Case{hop + again, "anna@alpha.test", true}, Case{hop + again, "Anna+x@alpha.test", true},
           Case{hop + again, "sales@alpha.test", true},  // leads to anna
           Case{hop + again, "bob@alpha.test", false}, Case{hop + sent_on, "away@alpha.test", true},
           Case{hop + sent_on, "AWAY@alpha.test", true},
           Case{hop + sent_on, "anna@alpha.test", false},
           Case{replaced(hop + again, "Received", "Authentication-Results: x; none\r\nReceived"),
                "anna@alpha.test", true},
           // What a sender has written itself.
           Case{"Delivered-To: anna@alpha.test\r\n" + std::string(kMessage), "anna@alpha.test",
                false},
           Case{"Delivered-To: anna@alpha.test\r\n" + hop + std::string(kMessage),
                "anna@alpha.test", false},
           Case{replaced(sent_on, number, "0000000000001"), "away@alpha.test", false},
           Case{replaced(sent_on, number, "nothing"), "away@alpha.test", false},
           Case{replaced(sent_on, "MX.alpha.test", "mx.beta.test"), "away@alpha.test", false},
           Case{replaced(sent_on, "away", "bob"), "bob@alpha.test", false},  // not that one's
           Case{std::string(kMessage) + sent_on, "away@alpha.test", false},  // in the body
       }) {
    CAPTURE(c.message);
    CAPTURE(c.to);
    auto reply = f.send(server, Fixture::envelope("x@beta.test", {c.to}), c.message);
    CHECK(reply.positive() == !c.refused);
    if (c.refused) CHECK(reply.to_string().starts_with("554 5.4.6 Mail forwarding loop"));
  }
  // One who has it does not keep it from others, and the sender is told.
  CHECK(f.send(server, Fixture::envelope("x@beta.test", {"anna@alpha.test", "bob@alpha.test"}),
               hop + again)
            .positive());
  auto bounces = f.queued();
  std::erase_if(bounces, [](auto& entry) { return entry.destination != queue::kNotice; });
  REQUIRE(bounces.size() == 1);
  CHECK(bounces[0].recipient == "anna@alpha.test");
  CHECK(bounces[0].last_reply.starts_with("554 5.4.6"));
  // People may send again what they have got, to themselves, too.
  auto own = replaced(again, "x@beta.test>\r\nTo", "anna@alpha.test>\r\nTo");
  CHECK(
      f.send(f.user(), Fixture::envelope("anna@alpha.test", {"anna@alpha.test"}), own).positive());
}

TEST_CASE("aliases, details, the catch-all, doubles, and other people's servers") {
  Fixture f;
  auto reply = f.send(f.server(),
                      Fixture::envelope("x@beta.test", {"team@alpha.test", "sales@alpha.test",
                                                        "Anna@ALPHA.test", "away@alpha.test"}),
                      kMessage);
  CHECK(reply.positive());
  CHECK(f.inbox(f.anna.id).size() == 1);  // once, however many ways lead there
  CHECK(f.inbox(f.bob.id).size() == 1);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].recipient == "ext@beta.test");
  CHECK(f.queued()[0].original == "team@alpha.test");
  CHECK(f.queued()[0].destination == "beta.test");
  auto bob = f.inbox(f.bob.id)[0].bytes;
  CHECK(bob.find("Delivered-To: bob@alpha.test") != std::string::npos);
  CHECK(bob.find("anna+") == std::string::npos);
  CHECK(mime::HeaderView(bob).value("Received").find(" for ") == std::string::npos);
  f.change([&](store::Transaction& tx) {
    return auth::set_catch_all(tx, "alpha.test", "bob@alpha.test");
  });
  CHECK(f.send(f.server(), Fixture::envelope("", {"whoever@alpha.test"}), kMessage).positive());
  CHECK(f.inbox(f.bob.id).size() == 2);
  CHECK(f.inbox(f.bob.id)[1].bytes.starts_with("Return-Path: <>\r\n"));
}

TEST_CASE("users' mail: fields are added, Bcc goes, where they are is nobody's business") {
  Fixture f;
  auto reply =
      f.send(f.user(), Fixture::envelope("sales@alpha.test", {"bob@alpha.test"}),
             "Subject: hi\r\nBcc: secret@beta.test,\r\n other@beta.test\r\n\r\nBcc: x\r\n");
  REQUIRE(reply.positive());
  auto bytes = f.inbox(f.bob.id)[0].bytes;
  mime::HeaderView header(bytes);
  CHECK(header.value("From") == "<sales@alpha.test>");
  CHECK(!header.value("Date").empty());
  CHECK(header.value("Message-ID").ends_with("@mx.alpha.test>"));
  CHECK(bytes.find("secret") == std::string::npos);
  CHECK(bytes.find("198.51.100.7") == std::string::npos);
  CHECK(bytes.ends_with("\r\n\r\nBcc: x\r\n"));
  // What others send is never changed.
  f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), "Bcc: a@b\r\n\r\nx");
  CHECK(f.inbox(f.bob.id)[1].bytes.ends_with("\r\nBcc: a@b\r\n\r\nx"));
}

TEST_CASE("users send only as themselves, in every From and in Sender") {
  Fixture f;
  struct Case {
    std::string_view header;
    bool taken;
  };
  for (auto& c : {
           Case{"From: anna@alpha.test\r\n", true},
           Case{"From: Sales <SALES+x@alpha.test>\r\n", true},
           Case{"From: bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test, bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test\r\nFrom: bob@alpha.test\r\n", false},
           Case{"From : bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test\r\nSender: bob@alpha.test\r\n", false},
           Case{"From:\r\n bob@alpha.test\r\n", false},
           Case{"From: \"anna@alpha.test\" <bob@alpha.test>\r\n", false},
           Case{"From: \"bob@alpha.test\" <anna@alpha.test>\r\n", true},
           Case{"From: us: bob@alpha.test;\r\n", false},
           Case{"From:\r\n", false},
           Case{"Reply-To: bob@alpha.test\r\n", true},
           // What other programs, or our own IMAP server, show may stand anywhere.
           Case{"From: anna@alpha.test <anna@alpha.test>\r\n", true},
           Case{"From: anna@alpha.test,\r\n", true},
           Case{"From: <anna@alpha.test> bob@alpha.test\r\n", false},
           Case{"From: anna@alpha.test (bob@alpha.test)\r\n", false},
           Case{"From\r\n : bob@alpha.test\r\nSubject: x\r\n", false},
           Case{"From: anna@alpha.test\r\nSender: anna@alpha.test bob@alpha.test\r\n", false},
           Case{"From: =?utf-8?q?Anna=2C_Sales?= <anna@alpha.test>\r\n", true},
           Case{"From: =?utf-8?q?anna=40alpha.test?= <anna@alpha.test>\r\n", true},
           Case{"From: =?utf-8?q?bob=40alpha.test=2C?= <anna@alpha.test>\r\n", false},
           Case{"From: =?utf-8?q?bob=40?=alpha.test <anna@alpha.test>\r\n", false},
           Case{"From: =?cp037?b?g4WWfIKBlZJLo4Wio2s=?= <anna@alpha.test>\r\n", false},
           Case{"From: anna@alpha.test (=?utf-8?q?=29=2C_bob=40alpha.test=2C_=28?=)\r\n", false},
       }) {
    CAPTURE(c.header);
    auto reply = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}),
                        std::string(c.header) + "\r\n");
    CHECK(reply.positive() == c.taken);
    if (!c.taken) CHECK(reply.code == 550);
  }
  // Whoever stands behind many others is read too, and too many are nobody's authors.
  auto repeated = [](int count, std::string_view text) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  auto author = [&](const std::string& value) {
    return f
        .send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}),
              "From: " + value + "\r\n\r\n")
        .to_string();
  };
  for (auto& value : {"anna@alpha.test," + repeated(60, "g:;") + " Bob <bob@alpha.test>",
                      repeated(60, "g:;") + "bob@alpha.test, anna@alpha.test",
                      repeated(300, ",") + "anna@alpha.test,bob@alpha.test",
                      repeated(90, "anna@alpha.test,") + "bob@alpha.test"}) {
    CAPTURE(value);
    CHECK(author(value).starts_with("550 5.7.1 You are anna@alpha.test and may not send as bob@"));
  }
  for (auto& value : {repeated(100, "anna@alpha.test,\r\n ") + "bob@alpha.test",
                      repeated(2000, "g:;") + "anna@alpha.test"}) {
    auto reply = author(value);
    CHECK(reply.starts_with("550 5.6.0 "));
    CHECK(reply.find("too many addresses") != std::string::npos);
  }
}

TEST_CASE("every author that IMAP shows is one that was asked about") {
  for (auto& value :
       {std::string("Anna <anna@alpha.test>, us: bob@alpha.test, g:;;, x@y z@w <a@b>"),
        std::string("\"q@r\" <anna@alpha.test> c@d, =?utf-8?q?e=40f.test?= g@h, (i@j) k@l"),
        std::string("a@b;c@d;;e@f, \"unclosed <g@h>, i@j"), std::string("<@a,@b:c@d>, e@f@g")}) {
    CAPTURE(value);
    auto claimed = claimed_authors("From: " + value + "\r\n\r\n");
    for (auto& shown : mime::parse_address_list(value))
      if (shown.kind == mime::Address::Kind::Mailbox)
        CHECK(std::ranges::count(claimed.addresses, shown.addr_spec()) == 1);
  }
}

TEST_CASE("messages of every size are stored as they came, however they are cut") {
  Fixture f;
  std::size_t count = 0;
  for (std::size_t size : {0, 1, 2, 100, 32'760, 262'144, 262'145, 3'000'000}) {
    for (std::size_t piece : {1, 5, 16'384}) {
      if (size > 50'000 && piece < 100) continue;
      std::string message = "Subject: x\r\n\r\n" + std::string(size, 'y');
      if (size < 20) message = std::string("\r\n\r\n").substr(0, size * 2) + std::string(size, 'z');
      REQUIRE(
          f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), message, piece)
              .positive());
      auto mails = f.inbox(f.bob.id);
      REQUIRE(mails.size() == ++count);
      auto& mail = mails.back();
      CHECK(mail.bytes.size() == mail.record.size);
      CHECK(mail.bytes.ends_with(message));
      auto digest = mailbox::make_digest(mail.record.prefix, message);
      CHECK(mail.record.digest.body_structure == digest.body_structure);
      CHECK(mail.record.digest.envelope == digest.envelope);
    }
  }
}

TEST_CASE("a large message is not in memory any more while it is written") {
  Fixture f;
  auto take_all = [](Semaphore& permits) -> Task<bool> {
    auto all = co_await permits.acquire(SIZE_MAX);
    co_return true;
  };
  int free = 0;
  f.store.before_step = [&] {
    Started<bool> taken(take_all(f.large_messages));
    if (taken.value()) ++free;
  };
  auto message = "From: <anna@alpha.test>\r\n\r\n" + std::string(3'000'000, 'x');
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"team@alpha.test"}), message)
            .positive());
  CHECK(free == 1);
  CHECK(f.inbox(f.bob.id).size() == 1);
  // It waits for room.
  std::optional<Semaphore::Permit> taken(f.loop.run(f.large_messages.acquire(SIZE_MAX)));
  auto later = f.loop.after(std::chrono::seconds(5), [&] { taken.reset(); });
  auto began = f.loop.now();
  CHECK(f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}), message)
            .positive());
  CHECK(f.loop.now() - began == std::chrono::seconds(5));
}

TEST_CASE("a message on its way says what it holds in memory") {
  Fixture f;
  dns::FakeResolver dns("");
  f.receiver =
      make_receiver(f.settings, {f.store, f.pool, f.loop, f.random, f.large_messages, &dns}, {});
  auto peer = f.server();
  auto envelope = Fixture::envelope("x@beta.test", {"bob@alpha.test"});
  auto header = "Subject: " + std::string(50'000, 'x') + "\r\n\r\n";
  auto held = [&] {
    auto incoming = f.receiver->begin(peer, envelope);
    f.loop.run(incoming->append(header));
    return incoming->memory();
  };
  auto unchecked = held();
  CHECK(unchecked >= 2 * header.size());  // the header, and the message while it is small
  peer.client = f.receiver->meet(peer.endpoint.address);
  f.loop.run(f.receiver->check_sender(peer, envelope.from));
  CHECK(held() >= unchecked + 2 * header.size());  // and for DKIM and ARC
}

TEST_CASE("the header limit does not depend on how the network cuts") {
  Fixture f;
  f.settings.max_header = 100;
  f.make_receiver();
  for (std::size_t length : {100, 101}) {
    auto header = "From: anna@alpha.test\r\nSubject: " + std::string(length - 36, 'x') + "\r\n\r\n";
    REQUIRE(header.size() == length);
    for (std::size_t piece : {1, 7, 1000}) {
      auto reply = f.send(f.user(), Fixture::envelope("anna@alpha.test", {"bob@alpha.test"}),
                          header + std::string(300, 'b'), piece);
      CHECK(reply.code == (header.size() <= 100 ? 250 : 552));
      // Others too: results that claim to be ours may stand where nobody looks.
      CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), header + "b",
                   piece)
                .code == reply.code);
    }
  }
}

TEST_CASE("the directory changes between RCPT and the end of data") {
  Fixture f;
  auto remove_bob = [&](store::Transaction& tx) {
    return auth::remove_account(tx, "bob@alpha.test");
  };
  SUBCASE("the only recipient has gone") {
    f.change(remove_bob);
    auto reply = f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), kMessage);
    CHECK(reply.to_string() == "550 5.1.1 No such mailbox: <bob@alpha.test>");
    CHECK(f.queued().empty());
  }
  SUBCASE("one of two has gone: the other gets it, the sender gets a bounce") {
    f.change(remove_bob);
    auto reply =
        f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test", "anna@alpha.test"}),
               kMessage);
    CHECK(reply.positive());
    CHECK(f.inbox(f.anna.id).size() == 1);
    REQUIRE(f.queued().size() == 1);
    CHECK(f.queued()[0].destination == queue::kNotice);
    CHECK(f.queued()[0].last_reply == "550 5.1.1 No such mailbox: <bob@alpha.test>");
  }
  SUBCASE("between plan and commit: the plan is made anew") {
    int steps = 0;
    f.store.before_step = [&] {
      if (++steps == 1) f.change(remove_bob);
    };
    auto reply =
        f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test", "anna@alpha.test"}),
               kMessage);
    CHECK(reply.positive());
    CHECK(steps == 2);
    CHECK(f.inbox(f.anna.id).size() == 1);
    CHECK(f.queued().size() == 1);
  }
  SUBCASE("again and again: later, and nothing is left behind") {
    int steps = 0;
    f.store.before_step = [&] {
      f.change([&](store::Transaction& tx) {
        return auth::add_alias(tx, "a" + std::to_string(++steps) + "@alpha.test",
                               {"anna@alpha.test"});
      });
    };
    auto reply =
        f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage);
    CHECK(reply.code == 451);
    f.store.before_step = {};
    CHECK(f.inbox(f.anna.id).empty());
  }
}

TEST_CASE("a full mailbox") {
  Fixture f;
  f.change([&](store::Transaction& tx) {
    f.bob.quota = 1000;
    return auth::update_account(tx, f.bob);
  });
  auto big = std::string(kMessage) + std::string(1000, 'x');
  auto ask = [&](std::string_view address, std::uint64_t size) {
    auto refusal =
        f.loop.run(f.receiver->check_recipient(f.server(), Fixture::mailbox(address), size));
    return refusal ? refusal->code : 250;
  };
  CHECK(ask("bob@alpha.test", 0) == 250);
  CHECK(ask("bob@alpha.test", 1000) == 250);
  CHECK(ask("bob@alpha.test", 1001) == 452);
  CHECK(ask("team@alpha.test", 1001) == 250);  // the others get theirs
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"bob@alpha.test"}), big).code == 452);
  CHECK(f.queued().empty());
  CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"team@alpha.test"}), big).positive());
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(f.inbox(f.bob.id).empty());
  CHECK(f.queued().size() == 2);  // ext@beta.test, and the bounce about bob
  // What has no sender, nobody could be told about: it is to be sent again, without bob.
  CHECK(
      f.send(f.server(), Fixture::envelope("", {"bob@alpha.test", "anna@alpha.test"}), big).code ==
      452);
  CHECK(f.queued().size() == 2);
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(f.send(f.server(), Fixture::envelope("", {"anna@alpha.test"}), big).positive());
}

TEST_CASE("nobody is left out for a sender who may be forged, for no bounce can tell of it") {
  Fixture f;
  dns::FakeResolver dns("forged.test. TXT \"v=spf1 -all\"\n");
  f.settings.authentication.host_name = f.settings.host_name;
  f.receiver =
      make_receiver(f.settings, {f.store, f.pool, f.loop, f.random, f.large_messages, &dns}, {});
  f.change([&](store::Transaction& tx) {
    f.bob.quota = 1000;
    return auth::update_account(tx, f.bob);
  });
  auto big = std::string(kMessage) + std::string(1000, 'x');
  auto give = [&](std::string_view from, const std::vector<std::string>& recipients) {
    auto envelope = Fixture::envelope(from, recipients);
    auto peer = f.server();
    peer.client = f.receiver->meet(peer.endpoint.address);
    f.loop.run(f.receiver->check_sender(peer, envelope.from));
    return f.send(peer, envelope, big).code;
  };
  CHECK(give("x@forged.test", {"bob@alpha.test", "anna@alpha.test"}) == 452);
  CHECK(f.queued().empty());
  CHECK(!story::find_story(f.store.keys(), f.last));
  CHECK(give("x@forged.test", {"anna@alpha.test"}) == 250);
  // One of several behind an alias: it has come to the others.
  CHECK(give("x@forged.test", {"team@alpha.test"}) == 250);
  CHECK(f.queued().size() == 1);  // ext@beta.test, and no bounce
  CHECK(give("x@honest.test", {"bob@alpha.test", "anna@alpha.test"}) == 250);
  CHECK(f.queued().size() == 2);  // the bounce about bob
}

TEST_CASE("errors of the store") {
  for (auto [code, reply] : {std::pair{ErrorCode::NoSpace, 452}, std::pair{ErrorCode::Io, 451},
                             std::pair{ErrorCode::Shutdown, 421}}) {
    Fixture f;
    f.store.fail_with(code);
    CHECK(
        f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage).code ==
        reply);
    f.store.fail_with({});
    CHECK(f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test"}), kMessage)
              .positive());
    CHECK(f.inbox(f.anna.id).size() == 1);
  }
}

TEST_CASE("messages of our own: recipients that are unknown are dropped, what goes along happens") {
  Fixture f;
  auto inject = [&](std::vector<std::string> recipients) {
    bool also = false;
    auto injected = f.loop.run(f.receiver->inject({.mail_from = "",
                                                   .recipients = std::move(recipients),
                                                   .message = std::string(kMessage),
                                                   .protocol = "BOUNCE"},
                                                  [&](store::Transaction&) -> Result<void> {
                                                    also = true;
                                                    return {};
                                                  }));
    CHECK(injected);
    CHECK(also);
  };
  inject({"anna@alpha.test"});
  CHECK(f.inbox(f.anna.id).size() == 1);
  inject({"nobody@alpha.test"});
  CHECK(f.queued().empty());
  inject({"x@beta.test"});
  CHECK(f.queued().size() == 1);
}

TEST_CASE("UTF-8 is asked of the next server only where the header needs it") {
  Fixture f;
  for (bool needed : {true, false}) {
    auto envelope = Fixture::envelope("anna@alpha.test", {"x@beta.test"});
    envelope.parameters.smtputf8 = true;
    f.send(f.user(), envelope,
           needed ? "Subject: \xC3\xA4\r\n\r\nx" : "Subject: a\r\n\r\n\xC3\xA4");
    CHECK(queue::get_message(f.store.keys(), f.last)->smtputf8 == needed);
  }
}

TEST_CASE("a dictionary attack does not fill the story; users' refusals are all told") {
  Fixture f;
  for (int i = 0; i < 200; ++i) {
    auto from = "guess" + std::to_string(i) + "@beta.test";
    f.loop.run(f.receiver->refused(f.server(), from, {{"nobody@alpha.test", {550, {}, "no"}}}));
  }
  auto told = [&](std::string_view address) {
    return story::find_by_address(f.store.keys(), address, Time{}, 1000).size();
  };
  CHECK(told("nobody@alpha.test") == 120);
  f.loop.run(f.receiver->refused(f.user(), "anna@alpha.test", {{"a@b.test", {550, {}, "no"}}}));
  CHECK(told("a@b.test") == 1);
  f.loop.advance(std::chrono::minutes(1));
  f.loop.run(
      f.receiver->refused(f.server(), "x@beta.test", {{"nobody@alpha.test", {550, {}, "no"}}}));
  CHECK(told("nobody@alpha.test") == 121);
}

TEST_CASE("the story knows how it came and where it went") {
  Fixture f;
  f.send(f.server(), Fixture::envelope("x@beta.test", {"anna@alpha.test", "away@alpha.test"}),
         kMessage);
  auto story = story::find_story(f.store.keys(), f.last);
  REQUIRE(story);
  REQUIRE(story->arrival);
  CHECK(story->arrival->peer == "198.51.100.7:40000");
  CHECK(story->arrival->header_from == "x@beta.test");
  CHECK(story->arrival->subject == "hello");
  REQUIRE(story->recipients.size() == 2);
  using Kind = story::RecipientOutcome::Kind;
  CHECK(story->recipients[1].taker == "ext@beta.test");
  CHECK(story->recipients[0].kind == Kind::Delivered);
  CHECK(story->recipients[0].detail == "mailbox INBOX of anna@alpha.test, UID 1");
  CHECK(story->recipients[1].kind == Kind::Queued);
}

}  // namespace
}  // namespace hikyaku::receive
