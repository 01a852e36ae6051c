// Every login mechanism on the wire.
#include "app/lab.h"
#include "sasl/mechanisms.h"

namespace hikyaku::app::lab {
namespace {

using sasl::Mechanism;

constexpr Phrase kSmtpStep{"submission at {}, over TLS: {}", "{} での送信、TLS の中で: {}"};
constexpr Phrase kImapStep{"IMAP at {}, over TLS: {}", "{} の IMAP、TLS の中で: {}"};
constexpr Phrase kPopStep{"POP3 at {}, over TLS: {}", "{} の POP3、TLS の中で: {}"};
constexpr Phrase kWorks{"{}: {} is logged in", "{}: {} がログインした"};
constexpr Phrase kWrongStep{"the same with a wrong password", "同じことを間違ったパスワードで"};
constexpr Phrase kWrong{"{}: a wrong password is refused", "{}: 間違ったパスワードは断られる"};

constexpr Mechanism kAll[] = {Mechanism::Plain,          Mechanism::Login,
                              Mechanism::CramMd5,        Mechanism::ScramSha1,
                              Mechanism::ScramSha1Plus,  Mechanism::ScramSha256,
                              Mechanism::ScramSha256Plus};

constexpr Phrase kWhat[] = {
    {"the password itself, in base64", "パスワードそのもの(base64)"},
    {"the same in two questions, for old clients", "同じものを二つの質問で(古いクライアント用)"},
    {"the password stays at home: a digest of it and the server's challenge",
     "パスワードは送らない: サーバーの問いとのダイジェスト"},
    {"the password stays at home, and the server proves that it knows it",
     "パスワードは送らず、サーバーも知っていることを証明する"},
    {"the same, bound to this TLS connection", "同じものを、この TLS 接続に結びつけて"},
    {"as SCRAM-SHA-1, with a stronger hash", "SCRAM-SHA-1 と同じ、より強いハッシュで"},
    {"the same, bound to this TLS connection: nobody can stand in between",
     "同じものを、この TLS 接続に結びつけて: 間に誰も立てない"},
};

Person with_wrong_password(const Person& person) {
  auto wrong = person;
  wrong.password = "wrong";
  return wrong;
}

void by_smtp(Play& play, const Person& anna) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto try_login = [&](const Person& who, Mechanism mechanism) {
    Ear ear(stage, "", false);
    auto client = play.open_secure_smtp(alpha, ear);
    ear.listen(true);
    auto login = Play::login(who, mechanism);
    auto outcome = play.wait(client->log_in(login));
    ear.listen(false);
    play.wait(client->quit());
    return outcome.has_value();
  };
  for (std::size_t i = 0; i < std::size(kAll); ++i) {
    auto name = sasl::to_string(kAll[i]);
    stage.step(kSmtpStep, alpha.endpoint(kSubmission).to_string(), name);
    stage.note(kWhat[i]);
    stage.check(try_login(anna, kAll[i]), kWorks, name, anna.address);
  }
  stage.step(kWrongStep);
  for (auto mechanism : {Mechanism::Plain, Mechanism::ScramSha256})
    stage.check(!try_login(with_wrong_password(anna), mechanism), kWrong,
                sasl::to_string(mechanism));
}

void by_imap(Play& play, const Person& anna) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  for (auto mechanism : kAll) {
    auto name = sasl::to_string(mechanism);
    stage.step(kImapStep, alpha.endpoint(kImaps).to_string(), name);
    Ear ear(stage, "", false);
    auto client = play.open_secure_imap(alpha, ear);
    ear.listen(true);
    auto login = Play::login(anna, mechanism);
    stage.check(play.wait(client->log_in(login)).has_value(), kWorks, name, anna.address);
    ear.listen(false);
    play.wait(client->log_out());
  }
  stage.step(kImapStep, alpha.endpoint(kImaps).to_string(), "LOGIN");
  Ear ear(stage, "", false);
  auto client = play.open_secure_imap(alpha, ear);
  ear.listen(true);
  auto command = "LOGIN " + anna.address + " " + anna.password;
  stage.check(play.wait(client->command(command)).has_value(), kWorks, "LOGIN", anna.address);
  ear.listen(false);
  play.wait(client->log_out());
}

void by_pop3(Play& play, const Person& anna) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto try_login = [&](std::string_view name, auto log_in) {
    stage.step(kPopStep, alpha.endpoint(kPop3s).to_string(), name);
    Ear ear(stage, "", false);
    auto client = play.open_secure_pop3(alpha, ear);
    ear.listen(true);
    stage.check(log_in(*client), kWorks, name, anna.address);
    ear.listen(false);
    (void)play.wait(client->quit());
  };
  auto plain = Play::login(anna);
  try_login("USER, PASS",
            [&](auto& client) { return play.wait(client.log_in_by_password(plain)).has_value(); });
  try_login("APOP",
            [&](auto& client) { return play.wait(client.log_in_by_apop(plain)).has_value(); });
  for (auto mechanism : kAll) {
    auto login = Play::login(anna, mechanism);
    try_login(sasl::to_string(mechanism),
              [&](auto& client) { return play.wait(client.log_in_by_sasl(login)).has_value(); });
  }
}

void run(Play& play) {
  auto& anna = play.world.alpha().person("anna@alpha.test");
  by_smtp(play, anna);
  by_imap(play, anna);
  by_pop3(play, anna);
}

}  // namespace

Scene scene_logins() {
  return {
      .name = "logins",
      .title = {"Every way to log in", "あらゆるログイン方法"},
      .about =
          {"PLAIN, LOGIN, CRAM-MD5, SCRAM with and without channel binding, USER and PASS, APOP: "
           "what each sends, with SMTP, IMAP and POP3.",
           "PLAIN、LOGIN、CRAM-MD5、SCRAM(チャネル結合ありとなし)、USER と PASS、APOP。"
           "それぞれが何を送るかを SMTP、IMAP、POP3 で見ます。"},
      .run = run,
      .spoilt_by = {"alpha's submission offers PLAIN alone",
                    "alpha の送信ポートは PLAIN だけを提供する"},
      .spoil = [](World& world) -> Result<void> {
        return world.alpha().restart_with("submission.mechanisms", R"(["PLAIN"])");
      },
  };
}

}  // namespace hikyaku::app::lab
