// POP3 takes mail home, IMAP keeps it on the server.
#include "app/lab.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kMailStep{
    "Anna sends Paul two messages; with IMAP he puts the first into a folder "
    "too",
    "Anna が Paul に二通送る。Paul は一通目を IMAP でフォルダーにも入れる"};
constexpr Phrase kTwo{"the inbox has two, the folder one", "受信箱に二通、フォルダーに一通"};
constexpr Phrase kReadStep{"POP3 fetches both and deletes nothing",
                           "POP3 で二通取り出し、何も消さない"};
constexpr Phrase kFetched{"both came home", "二通とも手元に届いた"};
constexpr Phrase kLockStep{"meanwhile a second POP3 login to the same mailbox",
                           "その間に同じメールボックスへもう一つの POP3 ログイン"};
constexpr Phrase kInUse{"it is refused: [IN-USE]", "断られる: [IN-USE]"};
constexpr Phrase kStill{"after QUIT IMAP still shows both",
                        "QUIT のあとも IMAP では二通とも見える"};
constexpr Phrase kLostStep{"DELE, and then the line breaks: no QUIT",
                           "DELE のあとで回線が切れる: QUIT なし"};
constexpr Phrase kNothingLost{"nothing was deleted: only QUIT does that",
                              "何も消えていない: 消すのは QUIT だけ"};
constexpr Phrase kTakeStep{"DELE and QUIT: POP3 takes the mail home",
                           "DELE と QUIT: POP3 がメールを持ち帰る"};
constexpr Phrase kEmpty{"the inbox is empty on every device", "受信箱はどの機器でも空になった"};
constexpr Phrase kKept{"the folder, which POP3 never sees, has kept its message",
                       "POP3 からは見えないフォルダーには、メッセージが残っている"};

constexpr std::string_view kFolder = "Keepsakes";

std::optional<std::uint32_t> messages_in(Play& play, client::ImapClient& client,
                                         std::string_view mailbox) {
  auto status = play.wait(client.status(std::string(mailbox), "MESSAGES"));
  return status ? status->messages : std::nullopt;
}

void bring_mail(Play& play, client::ImapClient& paul) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& person = play.world.beta().person("paul@beta.test");
  stage.step(kMailStep);
  for (auto subject : {"First", "Second"}) {
    Letter letter{.from = "Anna <anna@alpha.test>",
                  .to = person.address,
                  .subject = subject,
                  .body = "Take me home.\r\n",
                  .message_id = play.make_id(alpha.domain())};
    play.submit(alpha, alpha.person("anna@alpha.test"), person.address, letter, {.aloud = false});
    play.await_mail(play.world.beta(), person, letter.message_id);
  }
  (void)play.wait(paul.create(std::string(kFolder)));
  (void)play.wait(paul.select("INBOX"));
  (void)play.wait(paul.copy("1", std::string(kFolder), client::ImapClient::By::Number));
  (void)play.wait(paul.unselect());
  stage.require(messages_in(play, paul, "INBOX") == 2 && messages_in(play, paul, kFolder) == 1,
                kTwo);
}

void fetch_both(Play& play, const Person& person) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  stage.step(kReadStep);
  auto home = play.pop3(beta, person);
  (void)play.wait(home->stat());
  (void)play.wait(home->uidl());
  auto first = play.retr_aloud(*home, 1, 6);
  auto second = play.retr_aloud(*home, 2, 6);
  stage.check(first.contains("Subject: First\r\n") && second.contains("Subject: Second\r\n"),
              kFetched);
  stage.step(kLockStep);
  Ear ear(stage, "second", false);
  auto other = play.open_secure_pop3(beta, ear);
  ear.listen(true);
  auto login = Play::login(person);
  auto refused = play.wait(other->log_in_by_password(login));
  stage.check(!refused && refused.error().code == "IN-USE", kInUse);
  ear.listen(false);
  (void)play.wait(other->quit());
  (void)play.wait(home->quit());
}

void lose_the_line(Play& play, const Person& person) {
  play.stage.step(kLostStep);
  {
    auto home = play.pop3(play.world.beta(), person);
    (void)play.wait(home->dele(1));
    (void)play.wait(home->dele(2));
  }
  // The server notices in its own time; until then the mailbox is in use.
  play.eventually([&] {
    Ear ear(play.stage, "", false);
    auto probe = play.open_secure_pop3(play.world.beta(), ear);
    auto login = Play::login(person);
    auto in = play.wait(probe->log_in_by_password(login)).has_value();
    (void)play.wait(probe->quit());
    return in;
  });
}

void run(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& person = beta.person("paul@beta.test");
  auto paul = play.imap(beta, person, {.talk = "IMAP"});
  bring_mail(play, *paul);
  fetch_both(play, person);
  stage.check(messages_in(play, *paul, "INBOX") == 2, kStill);
  lose_the_line(play, person);
  stage.check(messages_in(play, *paul, "INBOX") == 2, kNothingLost);

  stage.step(kTakeStep);
  auto home = play.pop3(beta, person);
  (void)play.wait(home->dele(1));
  (void)play.wait(home->dele(2));
  (void)play.wait(home->quit());
  stage.check(messages_in(play, *paul, "INBOX") == 0, kEmpty);
  stage.check(messages_in(play, *paul, kFolder) == 1, kKept);
  play.wait(paul->log_out());
}

}  // namespace

Scene scene_pop3_home() {
  return {
      .name = "pop3-home",
      .title = {"POP3 takes it home, IMAP keeps it", "POP3 は持ち帰り、IMAP は残す"},
      .about =
          {"POP3 fetches what is in the inbox and may delete it there, at QUIT and not before. "
           "IMAP keeps mail on the server, in folders that POP3 never sees.",
           "POP3 は受信箱のメールを取り出し、サーバーから消すこともできます。ただし QUIT の"
           "ときだけです。IMAP はメールをサーバーに残し、POP3 からは見えないフォルダーも"
           "使えます。"},
      .run = run,
      .spoilt_by = {"beta does not lock POP3 mailboxes (pop3.lock = false)",
                    "beta は POP3 のメールボックスをロックしない (pop3.lock = false)"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("pop3.lock", "false");
      },
  };
}

}  // namespace hikyaku::app::lab
