// Signatures: a changed body, and one whose time is over.
#include "app/lab.h"
#include "app/lab_evidence.h"
#include "base/text.h"
#include "dkim/signer.h"

namespace hikyaku::app::lab {
namespace {

constexpr std::string_view kSignature = "DKIM-Signature:";

constexpr Phrase kWriteStep{"Anna writes to Mallory; alpha signs it",
                            "Anna が Mallory に書き、alpha が署名する"};
constexpr Phrase kTaken{"alpha took the message: {}", "alpha がメッセージを受け取った: {}"};
constexpr Phrase kGot{"Mallory has a letter with alpha's signatures",
                      "Mallory の手元に、alpha の署名の付いた手紙がある"};
constexpr Phrase kCopyStep{"Mallory's server brings an exact copy to Carla",
                           "Mallory のサーバーが、そっくり同じ写しを Carla に届ける"};
constexpr Phrase kChangedStep{"and one in which 100 has become 900",
                              "次に、100 を 900 に変えたもの"};
constexpr Phrase kCame{"beta took it: {}", "beta が受け取った: {}"};
constexpr Phrase kReasons{"beta has recorded what it found", "beta に調べた結果の記録がある"};
constexpr Phrase kCarries{
    "The signature does not ask who carries the letter. That is how honest mail survives being "
    "passed on, and why a signed letter can be sent again to others.",
    "署名は、誰が運んだかを問いません。正直なメールが転送に耐えるのはそのためで、署名付きの手紙を"
    "他人に送り直せるのもそのためです。"};

constexpr Phrase kFreshStep{"signed now, to be valid for a week (x=), passed on by gamma's server",
                            "いま署名し、一週間有効 (x=)。gamma のサーバーが取り次ぐ"};
constexpr Phrase kStaleStep{"the same signature, made eight days ago",
                            "同じ署名を、八日前に作ったもの"};
constexpr Phrase kHasKey{"the private key of {} can be read", "{} の秘密鍵が読める"};
constexpr Phrase kSigned{"the letter is signed", "手紙に署名した"};

/// What was sent: without the fields that the last server put in front.
std::string as_sent(std::string_view text) {
  auto begin = text.find(kSignature);
  return std::string(begin == std::string_view::npos ? "" : text.substr(begin));
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  auto at = text.rfind(what);
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

void bring_to_carla(Play& play, const Site& from, std::string_view mail_from,
                    std::string_view message_id, std::string text, Said dkim, Said dmarc) {
  auto& beta = play.world.beta();
  auto& carla = beta.person("carla@beta.test");
  auto reply =
      bring(play, beta, {from.address(), from.host(), mail_from, carla.address}, std::move(text));
  play.stage.require(reply.positive(), kCame, reply.to_string());
  play.stage.check(show_reasons(play, "beta", beta, message_id), kReasons);
  auto reading = read_results(play, beta, carla, message_id);
  check_reading(play, reading, "INBOX", {dkim, dmarc});
}

void run_changed(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& mallory = play.world.mallory();
  auto& person = mallory.person("mallory@mallory.test");
  Letter letter{.from = "Anna <anna@alpha.test>",
                .to = "Mallory <mallory@mallory.test>",
                .subject = "What I owe you",
                .body = "I will pay 100.\r\n\r\nAnna\r\n",
                .message_id = play.make_id(alpha.domain())};
  stage.step(kWriteStep);
  auto reply = play.submit(alpha, alpha.person("anna@alpha.test"), person.address, letter);
  stage.require(reply.positive(), kTaken, reply.to_string());
  auto uid = play.await_mail(mallory, person, letter.message_id);
  auto copy = as_sent(uid ? play.read_aloud(mallory, person, *uid, 12) : "");
  stage.require(!copy.empty(), kGot);

  stage.step(kCopyStep);
  bring_to_carla(play, mallory, person.address, letter.message_id, copy, {"dkim", "pass"},
                 {"dmarc", "pass"});
  stage.note(kCarries);
  stage.step(kChangedStep);
  bring_to_carla(play, mallory, person.address, letter.message_id, replaced(copy, "100", "900"),
                 {"dkim", "fail"}, {"dmarc", "fail"});
}

/// A letter signed by alpha's Ed25519 key at this time, to be valid for a week.
std::string signed_letter(Play& play, const Letter& letter, Time when) {
  auto& alpha = play.world.alpha();
  auto text = letter.text();
  auto key = alpha.signing_key(alpha.domain(), "ed25519");
  play.stage.require(key.has_value(), kHasKey, alpha.domain());
  std::vector<dkim::SigningKey> keys{*key};
  dkim::Signer signer(std::move(keys), {.now = when, .lifetime = std::chrono::days(7)});
  auto body = text.find("\r\n\r\n") + 4;
  signer.body(std::string_view(text).substr(body));
  auto fields = signer.finish(std::string_view(text).substr(0, body));
  play.stage.require(fields.has_value(), kSigned);
  return *fields + text;
}

void run_stale(Play& play) {
  auto& stage = play.stage;
  auto& gamma = play.world.gamma();
  auto now = SystemClock().now();
  auto send = [&](Time signed_at, Said dkim, Said dmarc) {
    Letter letter{.from = "Anna <anna@alpha.test>",
                  .to = "Carla <carla@beta.test>",
                  .subject = "How old is this?",
                  .body = "See x= in the signature.\r\n",
                  .message_id = play.make_id("alpha.test")};
    bring_to_carla(play, gamma, "gina@gamma.test", letter.message_id,
                   signed_letter(play, letter, signed_at), dkim, dmarc);
  };
  stage.step(kFreshStep);
  send(now, {"dkim", "pass"}, {"dmarc", "pass"});
  stage.step(kStaleStep);
  send(now - std::chrono::days(8), {"dkim", "permerror"}, {"dmarc", "fail"});
}

Result<void> without_alphas_keys(World& world) {
  return world.remove_keys(world.alpha(), world.beta());
}

constexpr Phrase kKeysGone{"alpha's keys are no longer in the DNS", "alpha の鍵が DNS から消える"};

}  // namespace

Scene scene_changed_body() {
  return {
      .name = "changed-body",
      .title = {"The changed body", "書き換えられた本文"},
      .about = {"A signature holds for the letter as it was signed, whoever carries it, and for no "
                "other.",
                "署名は、署名されたままの手紙についてだけ、誰が運んでも成り立ちます。"},
      .run = run_changed,
      .spoilt_by = kKeysGone,
      .spoil = without_alphas_keys,
  };
}

Scene scene_stale_signature() {
  return {
      .name = "stale-signature",
      .title = {"A stale signature", "期限の切れた署名"},
      .about =
          {"A signature may say until when it holds (x=). After that it proves nothing, though "
           "not a byte was changed.",
           "署名には期限 (x=) を付けられます。過ぎれば、一バイトも変わっていなくても何の証明"
           "にもなりません。"},
      .run = run_stale,
      .spoilt_by = kKeysGone,
      .spoil = without_alphas_keys,
  };
}

}  // namespace hikyaku::app::lab
