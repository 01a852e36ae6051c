// An honest message: SPF, DKIM and DMARC agree.
#include "app/lab.h"
#include "app/lab_evidence.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kSendStep{"Anna writes to Bob; alpha signs what she writes and brings it to beta",
                           "Anna が Bob に書く。alpha が署名し、beta に届ける"};
constexpr Phrase kTaken{"alpha took the message: {}", "alpha がメッセージを受け取った: {}"};
constexpr Phrase kWhyStep{"what beta asked the DNS, and what it concluded",
                          "beta が DNS に尋ねたことと、その結論"};
constexpr Phrase kRecorded{"beta has recorded the message", "beta にメッセージの記録がある"};
constexpr Phrase kThree{
    "SPF: may this client send for the envelope's domain? DKIM: did the domain sign this, and is "
    "it unchanged? DMARC: does one of the two name the domain that the reader sees in From?",
    "SPF: この接続元はエンベロープのドメインとして送ってよいか。DKIM: "
    "ドメインの署名があり、改変されていないか。DMARC: そのどちらかが、読み手に見える From の"
    "ドメインと一致するか。"};
constexpr Phrase kReadStep{"what Bob's mail client is told", "Bob のメールクライアントに届くもの"};
constexpr Phrase kSigned{"the message carries two signatures of alpha.test: RSA and Ed25519",
                         "alpha.test の署名が二つ付いている: RSA と Ed25519"};

void run(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& bob = beta.person("bob@beta.test");
  Letter letter{.from = "Anna <anna@alpha.test>",
                .to = "Bob <bob@beta.test>",
                .subject = "It is really me",
                .body = "Dear Bob,\r\n\r\nit is me.\r\n\r\nAnna\r\n",
                .message_id = play.make_id(alpha.domain())};
  stage.step(kSendStep);
  auto reply = play.submit(alpha, alpha.person("anna@alpha.test"), bob.address, letter);
  stage.require(reply.positive(), kTaken, reply.to_string());

  stage.step(kWhyStep);
  stage.note(kThree);
  stage.require(show_reasons(play, "beta", beta, letter.message_id), kRecorded);

  stage.step(kReadStep);
  auto reading = read_results(play, beta, bob, letter.message_id);
  check_reading(play, reading, "INBOX", {{"spf", "pass"}, {"dkim", "pass"}, {"dmarc", "pass"}});
  auto text = fetch_text(play, beta, bob, reading);
  stage.check(text.contains("a=rsa-sha256") && text.contains("a=ed25519-sha256"), kSigned);
}

}  // namespace

Scene scene_authentic() {
  return {
      .name = "authentic",
      .title = {"The honest message", "正直なメール"},
      .about = {"A message from the server that its domain names, signed by its domain: the "
                "receiving server finds both in the DNS and says so in Authentication-Results.",
                "ドメインが名指しするサーバーから、ドメインの署名付きで届くメール。受け取る側は"
                "両方を DNS で確かめ、Authentication-Results に書きます。"},
      .run = run,
      .spoilt_by = {"alpha's SPF record names another server",
                    "alpha の SPF レコードが別のサーバーを指す"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("alpha.test. TXT",
                                   "alpha.test. TXT \"v=spf1 ip4:127.0.1.9 -all\"", world.beta());
      },
  };
}

}  // namespace hikyaku::app::lab
