// Forgeries: the From that a reader sees, and the envelope.
#include "app/lab.h"
#include "app/lab_evidence.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kForgeStep{"From: {} in an envelope of Mallory's own",
                            "Mallory 自身のエンベロープに From: {}"};
constexpr Phrase kTaken{"beta took it: {}", "beta が受け取った: {}"};
constexpr Phrase kReasons{"beta has recorded what it found", "beta に調べた結果の記録がある"};
constexpr Phrase kAlone{
    "p=reject alone refuses nothing (RFC 9989 §7.4): it could be an honest list or forwarder. The "
    "message goes where it harms least.",
    "p=reject だけでは拒否しません (RFC 9989 §7.4)。正直なメーリングリストや転送かもしれない"
    "からです。害の最も少ない所に入れます。"};
constexpr Phrase kBothStep{"From and envelope both forged: {}", "From もエンベロープも偽る: {}"};
constexpr Phrase kRefused{"a second witness: beta refuses it: {}",
                          "二つ目の証拠があり、beta は拒否する: {}"};
constexpr Phrase kNotThere{"read back by IMAP: it is in no mailbox of Carla's",
                           "IMAP で読み返す: Carla のどのメールボックスにもない"};

constexpr Phrase kEnvelopeStep{"Mallory sends in an envelope of Anna's: MAIL FROM:<{}>",
                               "Mallory が Anna のエンベロープで送る: MAIL FROM:<{}>"};
constexpr Phrase kBlames{"Return-Path blames Anna: a bounce would go to her",
                         "Return-Path は Anna を指す: バウンスは Anna に行ってしまう"};
constexpr Phrase kNobodyAsks{
    "From is Mallory's own, and mallory.test has no policy: nothing asks beta to act on SPF's "
    "fail. "
    "It is marked for whoever weighs it (spf.refuse_fail would refuse it).",
    "From は Mallory 自身のもので、mallory.test にはポリシーがありません。SPF の fail "
    "に従うよう求めるものがないので、印だけが付きます (spf.refuse_fail なら拒否します)。"};

struct Forgery {
  std::string from;
  std::string_view mailbox;
};

Letter forged_letter(Play& play, const std::string& from) {
  return {.from = "The Boss <" + from + ">",
          .to = "Carla <carla@beta.test>",
          .subject = "Urgent payment",
          .body = "Pay this today, and tell nobody.\r\n",
          .message_id = play.make_id("mallory.test")};
}

void run_from(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& mallory = play.world.mallory();
  auto& carla = beta.person("carla@beta.test");
  const Forgery forgeries[] = {
      {"boss@lenient.test", "INBOX"}, {"boss@careful.test", "Junk"}, {"boss@strict.test", "Junk"}};
  for (auto& [from, mailbox] : forgeries) {
    stage.step(kForgeStep, from);
    auto letter = forged_letter(play, from);
    auto reply = bring(play, beta,
                       {mallory.address(), mallory.host(), "mallory@mallory.test", carla.address},
                       letter.text());
    stage.require(reply.positive(), kTaken, reply.to_string());
    stage.check(show_reasons(play, "beta", beta, letter.message_id), kReasons);
    auto reading = read_results(play, beta, carla, letter.message_id);
    check_reading(play, reading, mailbox, {{"spf", "none"}, {"dkim", "none"}, {"dmarc", "fail"}});
  }
  stage.note(kAlone);

  const std::string boss = "boss@strict.test";
  stage.step(kBothStep, boss);
  auto letter = forged_letter(play, boss);
  auto reply =
      bring(play, beta, {mallory.address(), mallory.host(), boss, carla.address}, letter.text());
  stage.check(reply.to_string().starts_with("550 5.7.1"), kRefused, reply.to_string());
  stage.check(show_reasons(play, "beta", beta, letter.message_id), kReasons);
  auto reading = read_results(play, beta, carla, letter.message_id, milliseconds(0));
  stage.check(reading.mailbox.empty(), kNotThere);
}

void run_envelope(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& mallory = play.world.mallory();
  auto& carla = beta.person("carla@beta.test");
  Letter letter{.from = "Mallory <mallory@mallory.test>",
                .to = "Carla <carla@beta.test>",
                .subject = "Who gets the bounce?",
                .body = "Not me.\r\n",
                .message_id = play.make_id(mallory.domain())};
  constexpr std::string_view kAnna = "anna@alpha.test";
  stage.step(kEnvelopeStep, kAnna);
  auto reply =
      bring(play, beta, {mallory.address(), mallory.host(), kAnna, carla.address}, letter.text());
  stage.require(reply.positive(), kTaken, reply.to_string());
  stage.check(show_reasons(play, "beta", beta, letter.message_id), kReasons);
  auto reading = read_results(play, beta, carla, letter.message_id);
  check_reading(play, reading, "INBOX", {{"spf", "fail"}, {"dkim", "none"}, {"dmarc", "none"}});
  stage.check(reading.header.starts_with("Return-Path: <anna@alpha.test>\r\n"), kBlames);
  stage.note(kNobodyAsks);
}

}  // namespace

Scene scene_forged_from() {
  return {
      .name = "forged-from",
      .title = {"A forged From: none, quarantine, reject", "偽の From: none、quarantine、reject"},
      .about = {"Mallory writes other people's domains into From. What becomes of it is for the "
                "owner of the domain to ask for: nothing, Junk, or refusal.",
                "Mallory が他人のドメインを From に書きます。その扱いはドメインの持ち主が求めます: "
                "何もしない、迷惑メールへ、拒否。"},
      .run = run_from,
      .spoilt_by = {"strict.test loses its DMARC record",
                    "strict.test の DMARC レコードを取り除く"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("_dmarc.strict.test. TXT", {}, world.beta());
      },
  };
}

Scene scene_forged_envelope() {
  return {
      .name = "forged-envelope",
      .title = {"A forged envelope", "偽のエンベロープ"},
      .about = {"Mallory uses Anna's address as MAIL FROM, so that complaints and bounces go to "
                "Anna. SPF is made for this.",
                "Mallory が Anna のアドレスを MAIL FROM に使い、苦情やバウンスが Anna に行くように"
                "します。SPF はこのためにあります。"},
      .run = run_envelope,
      .spoilt_by = {"alpha's SPF record allows everybody (+all)",
                    "alpha の SPF レコードが誰にでも許可する (+all)"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("alpha.test. TXT", "alpha.test. TXT \"v=spf1 +all\"",
                                   world.beta());
      },
  };
}

}  // namespace hikyaku::app::lab
