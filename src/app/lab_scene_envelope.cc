// The envelope routes, the headers are shown.
#include "app/lab.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kSendStep{
    "Mallory's server calls beta's MX. Envelope: from Mallory to Carla. "
    "Headers: from Anna to somebody else",
    "Mallory のサーバーが beta の MX を呼ぶ。エンベロープは Mallory から "
    "Carla へ。ヘッダーは Anna から別の人へ"};
constexpr Phrase kTaken{"beta took it: {}", "beta が受け取った: {}"};
constexpr Phrase kReadStep{"Carla reads her mail", "Carla がメールを読む"};
constexpr Phrase kRouted{"it is in Carla's mailbox, though no header names her: RCPT TO routes",
                         "どのヘッダーにも名前がないのに Carla のメールボックスにある: "
                         "届け先を決めるのは RCPT TO"};
constexpr Phrase kShown{"her mail client shows From: Anna, which Mallory wrote",
                        "Carla のメールクライアントには、Mallory が書いた From: Anna が表示される"};
constexpr Phrase kReally{"Return-Path names the real sender: {}",
                         "Return-Path が本当の送信者を示す: {}"};
constexpr Phrase kStoryStep{"what beta recorded", "beta が記録したこと"};
constexpr Phrase kToldBoth{"the story tells both", "記録には両方がある"};

void run(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& mallory = play.world.mallory();
  auto& carla = beta.person("carla@beta.test");
  Letter letter{.from = "Anna <anna@alpha.test>",
                .to = "The Emperor <emperor@palace.test>",
                .subject = "Believe me",
                .body = "Whose letter is this?\r\n",
                .message_id = play.make_id(mallory.domain())};
  stage.step(kSendStep);
  Ear ear(stage, "", true);
  auto client = play.open_smtp(beta.endpoint(kSmtp), mallory.host(), ear, mallory.address());
  auto reply = play.hand_over(*client, "mallory@mallory.test", carla.address, letter, ear);
  play.wait(client->quit());
  stage.require(reply.positive(), kTaken, reply.to_string());

  stage.step(kReadStep);
  auto uid = play.await_mail(beta, carla, letter.message_id);
  stage.require(uid.has_value(), kRouted);
  auto text = play.read_aloud(beta, carla, *uid);
  stage.check(text.contains("\r\nFrom: Anna <anna@alpha.test>\r\n"), kShown);
  stage.check(text.starts_with("Return-Path: <mallory@mallory.test>\r\n"), kReally,
              text.substr(0, text.find('\r')));

  stage.step(kStoryStep);
  auto traced = beta.trace(letter.message_id);
  if (traced) stage.story("beta", traced->text);
  auto told = traced && traced->text.contains("anna@alpha.test") &&
              traced->text.contains("mallory@mallory.test");
  stage.check(told, kToldBoth);
}

}  // namespace

Scene scene_envelope() {
  return {
      .name = "envelope",
      .title = {"The envelope and the headers", "エンベロープとヘッダー"},
      .about =
          {"MAIL FROM and RCPT TO are the envelope: they decide where a message goes and where "
           "errors come back to. From and To are part of the letter: anybody can write "
           "anything there.",
           "MAIL FROM と RCPT TO がエンベロープ(封筒)で、届け先とエラーの戻り先を決めます。From "
           "と To は手紙の一部で、誰でも何でも書けます。"},
      .run = run,
      .spoilt_by = {"Carla's account is disabled", "Carla のアカウントを停止する"},
      .spoil = [](World& world) -> Result<void> {
        TRY_DO(world.beta().ask("account.change",
                                {{"address", "carla@beta.test"}, {"enabled", false}}));
        return {};
      },
  };
}

}  // namespace hikyaku::app::lab
