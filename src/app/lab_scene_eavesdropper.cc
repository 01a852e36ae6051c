// The eavesdropper: what somebody between client and server can read, with and without TLS.
#include "app/lab.h"
#include "app/lab_tap.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kTapStep{
    "Mallory sits between Carla and her server: {} passes everything on to {}",
    "Mallory が Carla とサーバーの間に座る: {} はすべてを {} に渡す"};
constexpr Phrase kTapTaken{"the eavesdropper can listen: {}", "盗み聞きができる: {}"};
constexpr Phrase kTalkStep{"{}", "{}"};
constexpr Phrase kWorked{"Carla's client did what it wanted",
                         "Carla のクライアントは目的を果たした"};
constexpr Phrase kPassword{"the password can{} be read by the eavesdropper",
                           "盗み聞きする人にパスワードは読め{}"};
constexpr Phrase kText{"the letter's text can{} be read by the eavesdropper",
                       "盗み聞きする人に手紙の本文は読め{}"};
constexpr Phrase kYes{"", "る"};
constexpr Phrase kNo{" NOT", "ない"};
constexpr Phrase kSeenBytes{"the last of what Mallory recorded:",
                            "Mallory が記録したものの最後の部分:"};
constexpr Phrase kArrived{"Carla has a letter to read", "Carla には読むべき手紙がある"};

constexpr std::string_view kMarker = "The treasure lies under the old pine tree.";

/// One way of talking, and what it gives away.
struct Case {
  std::string_view name;
  std::uint16_t port;
  bool (*talk)(Play& play, Endpoint tap, const Person& carla);
  bool shows_password;
  bool shows_text;
};

bool read_by_pop3(Play& play, client::Pop3Client& client) {
  auto stat = play.wait(client.stat());
  if (!stat || stat->messages == 0) return false;
  auto text = play.wait(client.retr_text(stat->messages));
  (void)play.wait(client.quit());
  return text && text->contains(kMarker);
}

bool read_by_imap(Play& play, client::ImapClient& client) {
  if (!play.wait(client.select("INBOX"))) return false;
  auto found = play.wait(client.search("BODY \"old pine tree\""));
  if (!found || found->found.empty()) return false;
  auto text = play.wait(client.fetch_content(found->found.highest(), "BODY.PEEK[]"));
  play.wait(client.log_out());
  return text && text->contains(kMarker);
}

bool user_pass(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_pop3(tap, ear);
  auto login = Play::login(carla);
  return play.wait(client->log_in_by_password(login)) && read_by_pop3(play, *client);
}

bool apop(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_pop3(tap, ear);
  auto login = Play::login(carla);
  return play.wait(client->log_in_by_apop(login)) && read_by_pop3(play, *client);
}

bool stls(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_pop3(tap, ear);
  if (!play.wait(client->start_tls(play.world.tls(), play.world.beta().host())).ok()) return false;
  auto login = Play::login(carla);
  return play.wait(client->log_in_by_password(login)) && read_by_pop3(play, *client);
}

bool pop3s(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_pop3s(tap, play.world.beta().host(), ear);
  auto login = Play::login(carla);
  return play.wait(client->log_in_by_password(login)) && read_by_pop3(play, *client);
}

bool imap_clear(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_imap(tap, ear);
  auto command = "LOGIN " + carla.address + " " + carla.password;
  return play.wait(client->command(command)) && read_by_imap(play, *client);
}

bool imap_starttls(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_imap(tap, ear);
  if (!play.wait(client->start_tls(play.world.tls(), play.world.beta().host())).ok()) return false;
  auto command = "LOGIN " + carla.address + " " + carla.password;
  return play.wait(client->command(command)) && read_by_imap(play, *client);
}

bool imaps(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_imaps(tap, play.world.beta().host(), ear);
  auto command = "LOGIN " + carla.address + " " + carla.password;
  return play.wait(client->command(command)) && read_by_imap(play, *client);
}

Letter letter_of(Play& play, const Person& carla) {
  return {.from = carla.address,
          .to = carla.address,
          .subject = "A note to myself",
          .body = std::string(kMarker) + "\r\n",
          .message_id = play.make_id("beta.test")};
}

bool send(Play& play, client::SmtpClient& client, const Ear& ear, const Person& carla) {
  auto login = Play::login(carla, sasl::Mechanism::Plain);
  if (!play.wait(client.log_in(login))) return false;
  auto letter = letter_of(play, carla);
  auto reply = play.hand_over(client, carla.address, carla.address, letter, ear);
  play.wait(client.quit());
  return reply.positive() && play.await_mail(play.world.beta(), carla, letter.message_id);
}

bool smtp_clear(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_smtp(tap, "[127.0.0.1]", ear);
  return send(play, *client, ear, carla);
}

bool smtp_starttls(Play& play, Endpoint tap, const Person& carla) {
  Ear ear(play.stage, "", true);
  auto client = play.open_smtp(tap, "[127.0.0.1]", ear);
  if (!play.wait(client->start_tls(play.world.tls(), play.world.beta().host())).ok()) return false;
  return send(play, *client, ear, carla);
}

constexpr Case kCases[] = {
    {"SMTP, AUTH PLAIN", kSubmission, smtp_clear, true, true},
    {"SMTP, STARTTLS, AUTH PLAIN", kSubmission, smtp_starttls, false, false},
    {"POP3, USER/PASS", kPop3, user_pass, true, true},
    {"POP3, APOP", kPop3, apop, false, true},
    {"POP3, STLS, USER/PASS", kPop3, stls, false, false},
    {"POP3S, USER/PASS", kPop3s, pop3s, false, false},
    {"IMAP, LOGIN", kImap, imap_clear, true, true},
    {"IMAP, STARTTLS, LOGIN", kImap, imap_starttls, false, false},
    {"IMAPS, LOGIN", kImaps, imaps, false, false},
};

void show_bytes(Play& play, const std::string& recorded) {
  constexpr std::size_t kLines = 6, kWidth = 100;
  play.stage.note(kSeenBytes);
  auto lines = split(recorded, '\n');
  // The end is where the letter went by.
  auto from = lines.size() > kLines ? lines.size() - kLines : 0;
  for (auto i = from; i < lines.size(); ++i)
    play.stage.story("Mallory", printable(trim(lines[i]), kWidth));
}

void run(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& carla = beta.person("carla@beta.test");
  auto letter = letter_of(play, carla);
  play.submit(beta, carla, carla.address, letter, {.aloud = false});
  stage.require(play.await_mail(beta, carla, letter.message_id).has_value(), kArrived);

  for (auto& one : kCases) {
    auto at = play.world.endpoint("127.0.3.3", one.port);
    auto tap = Tap::open(play.world, {.at = at, .to = beta.endpoint(one.port)});
    if (!tap) stage.require(false, kTapTaken, tap.error().describe());
    stage.step(kTalkStep, one.name);
    stage.note(kTapStep, at.to_string(), beta.endpoint(one.port).to_string());
    stage.check(one.talk(play, at, carla), kWorked);
    auto recorded = (*tap)->recorded();
    show_bytes(play, recorded);
    auto password = can_read(recorded, carla.password);
    auto text = can_read(recorded, kMarker);
    auto lang = stage.language();
    stage.check(password == one.shows_password, kPassword, (password ? kYes : kNo).in(lang));
    stage.check(text == one.shows_text, kText, (text ? kYes : kNo).in(lang));
  }
}

}  // namespace

Scene scene_eavesdropper() {
  return {
      .name = "eavesdropper",
      .title = {"The eavesdropper", "盗み聞き"},
      .about =
          {"Somebody on the way records everything. Without TLS the password (but with APOP) and "
           "the letter can be read; with TLS neither.",
           "途中の誰かがすべてを記録します。TLS がなければパスワード(APOP を除く)も本文も"
           "読めます。TLS があればどちらも読めません。"},
      .run = run,
      .spoilt_by = {"beta takes no passwords in clear, not even on loopback",
                    "beta はループバックでも平文のパスワードを受け付けない"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("login.plaintext_on_loopback", "false");
      },
  };
}

}  // namespace hikyaku::app::lab
