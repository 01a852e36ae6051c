#include "smtp/client.h"

#include <doctest/doctest.h>

namespace hikyaku::smtp {
namespace {

Offers offers_of(std::string text) {
  return parse_ehlo(Reply{250, std::nullopt, "mx.test greets you\n" + text});
}

TEST_CASE("what a server offers") {
  auto offers = offers_of(
      "pipelining\nSIZE 1000\n8BITMIME\nSMTPUTF8\nCHUNKING\nDSN\nSTARTTLS\n"
      "AUTH plain LOGIN\nAUTH=LOGIN CRAM-MD5\nENHANCEDSTATUSCODES\n"
      "LIMITS RCPTMAX=50 MAILMAX=x RCPTDOMAINMAX=1\nX-UNKNOWN 1 2 3");
  CHECK(offers.name == "mx.test");
  CHECK(offers.pipelining);
  CHECK(offers.max_size == 1000);
  CHECK(offers.smtputf8);
  CHECK(offers.chunking);
  CHECK(!offers.binary_mime);
  CHECK(offers.starttls);
  CHECK(offers.auth == std::vector<std::string>{"PLAIN", "LOGIN", "CRAM-MD5"});
  CHECK(offers.max_recipients == 50);
  CHECK(!offers.max_mails);
  CHECK(offers.max_recipient_domains == 1);
  CHECK(offers_of("SIZE").size);
  CHECK(!offers_of("SIZE").max_size);
  CHECK(!offers_of("SIZE 0").max_size);  // no fixed limit, RFC 1870 §4
  CHECK(!parse_ehlo(Reply{250, std::nullopt, "mx.test"}).pipelining);
  CHECK(parse_ehlo(Reply{250, std::nullopt, ""}).name.empty());
}

TEST_CASE("MAIL FROM carries what the server knows") {
  Outgoing message;
  message.from.mailbox = *parse_mailbox("ann@a.test");
  message.size = 500;
  message.has_8bit = true;
  message.ret = Return::Headers;
  message.envid = "a b";
  CHECK(mail_command(message, Offers{}) == "MAIL FROM:<ann@a.test>\r\n");
  CHECK(mail_command(message, offers_of("SIZE 500\n8BITMIME\nDSN")) ==
        "MAIL FROM:<ann@a.test> SIZE=500 BODY=8BITMIME RET=HDRS ENVID=a+20b\r\n");
  CHECK(mail_command(message, offers_of("SIZE 499")).error().status == EnhancedStatus{5, 3, 4});
  CHECK(mail_command(Outgoing{}, offers_of("SMTPUTF8")) == "MAIL FROM:<>\r\n");

  message = {};
  message.has_utf8_header = true;
  CHECK(mail_command(message, Offers{}).error().status == EnhancedStatus{5, 6, 9});
  CHECK(mail_command(message, offers_of("SMTPUTF8")) == "MAIL FROM:<> SMTPUTF8\r\n");
  message = {};
  message.from.mailbox = *parse_mailbox("\xC3\xBC@a.test", {Characters::Utf8, {}});
  CHECK(mail_command(message, Offers{}).error().status == EnhancedStatus{5, 6, 7});
  CHECK(mail_command(message, offers_of("SMTPUTF8")) == "MAIL FROM:<\xC3\xBC@a.test> SMTPUTF8\r\n");
  message = {};
  message.has_utf8_recipient = true;
  CHECK(mail_command(message, offers_of("SMTPUTF8")) == "MAIL FROM:<> SMTPUTF8\r\n");
}

TEST_CASE("RCPT TO carries what the server knows") {
  auto to = *parse_mailbox("\"b c\"@b.test");
  RcptParameters parameters{Notify{.failure = true}, OriginalRecipient{"rfc822", "b+c@b.test"}};
  CHECK(rcpt_command(to, parameters, Offers{}) == "RCPT TO:<\"b c\"@b.test>\r\n");
  CHECK(rcpt_command(to, parameters, offers_of("DSN")) ==
        "RCPT TO:<\"b c\"@b.test> NOTIFY=FAILURE ORCPT=rfc822;b+2Bc@b.test\r\n");
  auto utf8 = *parse_mailbox("\xC3\xBC@b.test", {Characters::Utf8, {}});
  CHECK(rcpt_command(utf8, {}, Offers{}).error().status == EnhancedStatus{5, 6, 7});
  CHECK(rcpt_command(utf8, {}, offers_of("SMTPUTF8")) == "RCPT TO:<\xC3\xBC@b.test>\r\n");
}

TEST_CASE("what answers mean") {
  using enum Meaning;
  using enum Concern;
  struct Row {
    Stage stage;
    std::string_view reply;
    Meaning meaning;
    Concern concern;
    std::string_view status;
  };
  for (const auto& row : {
           Row{Stage::Greeting, "220 hello", GoOn, Connection, "2.0.0"},
           Row{Stage::Greeting, "421 busy", Temporary, Connection, "4.0.0"},
           Row{Stage::Greeting, "550 go away", Temporary, Connection, "4.0.0"},
           Row{Stage::Greeting, "550 5.7.1 blocked", Permanent, Connection, "5.7.1"},
           Row{Stage::Greeting, "554 no mail here", Permanent, Connection, "5.0.0"},
           Row{Stage::Greeting, "521 never", Permanent, Connection, "5.0.0"},  // RFC 7504 §3
           Row{Stage::Hello, "502 what?", Temporary, Connection, "4.0.0"},
           Row{Stage::Mail, "250 2.1.0 ok", GoOn, Message, "2.1.0"},
           Row{Stage::Mail, "451 greylisted", Temporary, Message, "4.0.0"},
           Row{Stage::Mail, "550 5.1.8 no such sender", Permanent, Message, "5.1.8"},
           Row{Stage::Mail, "421 4.7.0 too many", Temporary, Connection, "4.7.0"},
           Row{Stage::Rcpt, "250 ok", GoOn, Recipient, "2.0.0"},
           Row{Stage::Rcpt, "251 will forward", GoOn, Recipient, "2.0.0"},
           Row{Stage::Rcpt, "550 5.1.1 unknown", Permanent, Recipient, "5.1.1"},
           Row{Stage::Rcpt, "450 4.2.1 busy", Temporary, Recipient, "4.2.1"},
           Row{Stage::Rcpt, "552 too many recipients", Temporary, Recipient, "4.0.0"},
           Row{Stage::Rcpt, "552 5.5.3 too many", Temporary, Recipient, "4.5.3"},
           Row{Stage::Rcpt, "552 5.2.2 mailbox full", Permanent, Recipient, "5.2.2"},
           Row{Stage::Rcpt, "556 takes no mail", Permanent, Recipient, "5.0.0"},
           Row{Stage::Rcpt, "421 closing", Temporary, Connection, "4.0.0"},
           Row{Stage::Rcpt, "354 what", Temporary, Connection, "4.0.0"},
           Row{Stage::Data, "354 go", GoOn, Message, "2.0.0"},
           Row{Stage::Data, "250 odd", Temporary, Connection, "4.0.0"},
           Row{Stage::Data, "554 no valid recipients", Permanent, Message, "5.0.0"},
           Row{Stage::Chunk, "250 ok", GoOn, Message, "2.0.0"},
           Row{Stage::EndOfData, "250 2.6.0 queued", GoOn, Message, "2.6.0"},
           Row{Stage::EndOfData, "550 5.7.1 spam", Permanent, Message, "5.7.1"},
           Row{Stage::EndOfData, "452 4.3.1 full", Temporary, Message, "4.3.1"},
           Row{Stage::EndOfData, "354 again", Temporary, Connection, "4.0.0"},
       }) {
    CAPTURE(row.reply);
    ReplyParser parser;
    parser.feed(std::string(row.reply) + "\r\n");
    auto judgement = judge(row.stage, parser.take());
    CHECK(judgement.meaning == row.meaning);
    CHECK(judgement.concern == row.concern);
    CHECK(judgement.status.to_string() == row.status);
  }
  CHECK(should_try_helo(Reply{502, std::nullopt, ""}));
  CHECK(!should_try_helo(Reply{554, std::nullopt, ""}));
  CHECK(!should_try_helo(Reply{421, std::nullopt, ""}));
}

}  // namespace
}  // namespace hikyaku::smtp
