// SMTP as a person types it: over telnet, with mistakes; and what no password gets.
#include "app/lab.h"
#include "app/lab_hand.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kGreetStep{"telnet {} {}: who are you?", "telnet {} {}: 名乗る"};
constexpr Phrase kGreeted{"the server greets with 220", "サーバーは 220 で迎える"};
constexpr Phrase kHelo{"HELO needs nothing but a name", "HELO に必要なのは名前だけ"};
constexpr Phrase kMistakes{"mistakes are answered in words, and the connection lives",
                           "間違いには言葉で答え、接続は切れない"};
constexpr Phrase kForm{"{}: 501 with the right form", "{}: 501 と正しい書き方"};
constexpr Phrase kOrder{"RCPT before MAIL: 503", "MAIL より先の RCPT: 503"};
constexpr Phrase kUnknown{"an unknown word: 500", "知らない言葉: 500"};
constexpr Phrase kLetterStep{"a letter without Date and Message-ID",
                             "Date も Message-ID もない手紙"};
constexpr Phrase kSteps{"each step is answered: 250, 250, 354, 250",
                        "一歩ごとに答えがある: 250、250、354、250"};
constexpr Phrase kBye{"QUIT is answered with 221", "QUIT には 221"};
constexpr Phrase kReadStep{"Bob reads it", "Bob が読む"};
constexpr Phrase kArrived{"what was typed has arrived", "打ったとおりに届いた"};

constexpr Phrase kMxStep{"a stranger at alpha's port 25, from {}: mail for somebody elsewhere",
                         "見知らぬ人が {} から alpha のポート 25 へ: よその人宛のメール"};
constexpr Phrase kNoRelay{"alpha carries no strangers' mail to others: 550 5.7.1",
                          "alpha は他人のメールをよそへ運ばない: 550 5.7.1"};
constexpr Phrase kSubmissionStep{"the same at 587, without a password",
                                 "同じことを 587 で、パスワードなしで"};
constexpr Phrase kLoginFirst{"587 wants a login first: 530 5.7.0",
                             "587 ではまずログイン: 530 5.7.0"};
constexpr Phrase kWrongStep{"a guessed password", "当てずっぽうのパスワード"};
constexpr Phrase kWrong{"a wrong password: 535 5.7.8", "間違ったパスワード: 535 5.7.8"};
constexpr Phrase kNothingStep{"and Bob got nothing of it", "そして Bob には何も届いていない"};
constexpr Phrase kNothing{"there is no such message in Bob's mailbox",
                          "Bob のメールボックスにそのようなメッセージはない"};

void make_mistakes(Play& play, Hand& hand) {
  auto& stage = play.stage;
  stage.step(kMistakes);
  auto expect = [&](std::string_view line, int code, const Phrase& what) {
    auto reply = hand.smtp(line);
    stage.check(reply.code == code, what, line);
  };
  expect("HELO <a.com>", 501, kForm);
  expect("RCPT TO:<bob@beta.test>", 503, kOrder);
  expect("MAIL FROM anna@alpha.test", 501, kForm);
  expect("HELLO?", 500, kUnknown);
}

void type_letter(Play& play, Hand& hand, const std::string& subject) {
  auto& stage = play.stage;
  stage.step(kLetterStep);
  bool answered = hand.smtp("EHLO [10.1.1.10]").code == 250;
  answered &= hand.smtp("MAIL FROM:<anna@alpha.test>").code == 250;
  answered &= hand.smtp("RCPT TO:<bob@beta.test>").code == 250;
  answered &= hand.smtp("DATA").code == 354;
  stage.require(answered, kSteps);
  for (auto line : {"From: anna@alpha.test", "To: bob@beta.test"}) hand.type(line);
  hand.type("Subject: " + subject);
  for (auto line : {"", "Typed by hand.", "..a line that begins with a dot"}) hand.type(line);
  stage.require(hand.smtp(".").code == 250, kSteps);
  stage.check(hand.smtp("QUIT").code == 221, kBye);
}

void run_by_hand(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto door = beta.endpoint(kSmtp);
  auto subject = play.make_id("typed");
  stage.step(kGreetStep, door.address.to_string(), door.port);
  {
    Hand hand(play, door);
    stage.check(hand.hear_smtp().code == 220, kGreeted);
    stage.check(hand.smtp("HELO pc1").code == 250, kHelo);
    make_mistakes(play, hand);
    hand.smtp("VRFY bob");
    hand.smtp("NOOP");
    hand.smtp("HELP");
    type_letter(play, hand, subject);
  }
  stage.step(kReadStep);
  auto& bob = beta.person("bob@beta.test");
  auto uid = play.await_search(beta, bob, "SUBJECT \"" + subject + "\"");
  auto text = uid ? play.read_aloud(beta, bob, *uid) : "";
  stage.check(text.ends_with("\r\n\r\nTyped by hand.\r\n.a line that begins with a dot\r\n"),
              kArrived);
}

void try_as_stranger(Play& play, const IpAddress& from) {
  auto& stage = play.stage;
  stage.step(kMxStep, from.to_string());
  Hand hand(play, play.world.alpha().endpoint(kSmtp), from);
  hand.hear_smtp();
  hand.smtp("EHLO mx.mallory.test");
  hand.smtp("MAIL FROM:<mallory@mallory.test>");
  auto refused = hand.smtp("RCPT TO:<bob@beta.test>");
  stage.check(refused.code == 550 && refused.text.contains("5.7.1"), kNoRelay);
  hand.smtp("DATA");
  hand.smtp("QUIT");
}

void run_no_relay(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  try_as_stranger(play, play.world.mallory().address());
  // Nor is this machine trusted for being this machine.
  try_as_stranger(play, *IpAddress::parse("127.0.0.1"));
  stage.step(kSubmissionStep);
  {
    Hand hand(play, alpha.endpoint(kSubmission), play.world.mallory().address());
    hand.hear_smtp();
    hand.smtp("EHLO mx.mallory.test");
    auto refused = hand.smtp("MAIL FROM:<anna@alpha.test>");
    stage.check(refused.code == 530 && refused.text.contains("5.7.0"), kLoginFirst);
    stage.step(kWrongStep);
    hand.smtp("AUTH LOGIN");
    hand.smtp("YW5uYUBhbHBoYS50ZXN0");       // anna@alpha.test
    auto wrong = hand.smtp("cGFzc3dvcmQ=");  // password
    stage.check(wrong.code == 535 && wrong.text.contains("5.7.8"), kWrong);
    hand.smtp("QUIT");
  }
  stage.step(kNothingStep);
  auto& beta = play.world.beta();
  auto client = play.imap(beta, beta.person("bob@beta.test"));
  (void)play.wait(client->select("INBOX", client::ImapClient::Access::ReadOnly));
  auto found = play.wait(client->search("HEADER RETURN-PATH mallory@mallory.test"));
  stage.check(found && found->found.empty(), kNothing);
  play.wait(client->log_out());
}

}  // namespace

Scene scene_by_hand() {
  return {
      .name = "by-hand",
      .title = {"Typed by hand", "手で打つ SMTP"},
      .about = {"SMTP is words: a person can speak it over telnet, at a person's pace and with a "
                "person's mistakes.",
                "SMTP は言葉です。人が telnet で、人の速さで、人らしい間違いをしながら話せます。"},
      .run = run_by_hand,
      .spoilt_by = {"beta ends a connection after three mistakes (smtp.max_errors = 3)",
                    "beta は間違い三回で接続を切る (smtp.max_errors = 3)"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("smtp.max_errors", "3");
      },
  };
}

Scene scene_no_relay() {
  return {
      .name = "no-relay",
      .title = {"No password, no relaying", "パスワードなしでは中継しない"},
      .about = {"Port 25 takes mail for its own people from everybody, and for others from nobody. "
                "Port 587 takes nothing without a login. Coming from this machine changes nothing.",
                "ポート 25 は自分の利用者宛なら誰からでも受け取り、よそ宛は誰からも受け取りません。"
                "ポート 587 はログインなしでは何も受け取りません。この機械から来ても同じです。"},
      .run = run_no_relay,
      .spoilt_by = {"alpha believes that beta.test is its own, with a catch-all",
                    "alpha が beta.test を自分のものと思い込む(catch-all)"},
      .spoil = [](World& world) -> Result<void> {
        TRY_DO(world.alpha().ask("domain.add", {{"domain", "beta.test"}}));
        TRY_DO(world.alpha().ask("domain.catch-all",
                                 {{"domain", "beta.test"}, {"address", "anna@alpha.test"}}));
        return {};
      },
  };
}

}  // namespace hikyaku::app::lab
