// Mail that is passed on: a forwarder, a mailing list, and a list that seals (ARC).
#include "app/lab.h"
#include "app/lab_evidence.h"
#include "app/lab_list.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kForwardStep{"Anna writes to bob@gamma.test, Bob's address of old",
                              "Anna が、Bob の昔のアドレス bob@gamma.test に書く"};
constexpr Phrase kTaken{"alpha took the message: {}", "alpha がメッセージを受け取った: {}"};
constexpr Phrase kAtGammaStep{"gamma gets it from alpha itself: everything passes",
                              "gamma は alpha から直接受け取る: すべて合格"};
constexpr Phrase kPassesOnStep{"gamma passes it on, in Anna's envelope (no SRS)",
                               "gamma は Anna のエンベロープのまま取り次ぐ (SRS なし)"};
constexpr Phrase kSameEnvelope{"MAIL FROM is still Anna, now from gamma's address: {}",
                               "MAIL FROM は Anna のまま、接続元は gamma のアドレス: {}"};
constexpr Phrase kAtBetaStep{"beta gets it from gamma", "beta は gamma から受け取る"};
constexpr Phrase kRecorded{"{} has recorded what it found", "{} に調べた結果の記録がある"};
constexpr Phrase kCarried{
    "SPF breaks: alpha.test never named gamma's server. DKIM carries: the letter is what alpha "
    "signed. One of the two is enough for DMARC.",
    "SPF は破れます。alpha.test は gamma のサーバーを挙げていません。DKIM は届きます。手紙は alpha "
    "が署名したままです。DMARC にはどちらか一つで足ります。"};

constexpr Phrase kListStep{
    "Kei (kei@strict.test, p=reject) writes to the list chat@gamma.test",
    "Kei (kei@strict.test、p=reject) がメーリングリスト chat@gamma.test に書く"};
constexpr Phrase kOpened{"the list program can be started: {}",
                         "メーリングリストのプログラムを起動できる: {}"};
constexpr Phrase kProgramStep{"what the list program at {} found and added",
                              "メーリングリストのプログラム ({}) が調べ、付け加えたもの"};
constexpr Phrase kCame{"the list passed it on to Bob", "リストが Bob に取り次いだ"};
constexpr Phrase kReadStep{"Bob reads it", "Bob が読む"};
constexpr Phrase kChanged{"the list has changed Subject and body",
                          "リストは件名と本文を変えている"};
constexpr Phrase kBroken{
    "SPF passes, for the list's own domain, which is not Kei's. DKIM fails: the letter is no "
    "longer "
    "what was signed. So nothing speaks for strict.test.",
    "SPF は合格しますが、リスト自身のドメインについてで、Kei のドメインではありません。DKIM "
    "は不合格で、手紙はもう署名されたものではありません。strict.test を示すものはなくなりました。"};
constexpr Phrase kChain{
    "The seal tells what the list found before it changed anything: DMARC passed. beta trusts "
    "gamma.test (arc.trusted_sealers), and that lifts the policy (dmarc.exempts).",
    "封印は、リストが変更する前に調べた結果を伝えます: DMARC は合格でした。beta は gamma.test を"
    "信頼し (arc.trusted_sealers)、それがポリシーを免除します (dmarc.exempts)。"};

void show_envelope(Play& play, const Site& site, std::uintmax_t since, bool& kept) {
  for (auto& line : site.sent_lines(since)) {
    if (!line.text.starts_with("MAIL") && !line.text.starts_with("RCPT")) continue;
    play.stage.line("", line.by_client, line.text);
    kept |= line.text.starts_with("MAIL FROM:<anna@alpha.test>");
  }
}

void run_forwarder(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& gamma = play.world.gamma();
  Letter letter{.from = "Anna <anna@alpha.test>",
                .to = "Bob <bob@gamma.test>",
                .subject = "To your old address",
                .body = "Does this still reach you?\r\n\r\nAnna\r\n",
                .message_id = play.make_id(alpha.domain())};
  auto log_start = gamma.log_size();
  stage.step(kForwardStep);
  auto reply = play.submit(alpha, alpha.person("anna@alpha.test"), "bob@gamma.test", letter);
  stage.require(reply.positive(), kTaken, reply.to_string());

  stage.step(kAtGammaStep);
  stage.check(show_reasons(play, "gamma", gamma, letter.message_id), kRecorded, "gamma");

  stage.step(kPassesOnStep);
  auto sent = play.await_story(gamma, letter.message_id,
                               [](auto& story) { return has_attempt(story, "delivered"); });
  if (sent) stage.story("gamma", split_story(sent->text).events);
  bool kept = false;
  show_envelope(play, gamma, log_start, kept);
  stage.check(kept, kSameEnvelope, gamma.address().to_string());

  stage.step(kAtBetaStep);
  stage.require(show_reasons(play, "beta", beta, letter.message_id), kRecorded, "beta");
  auto reading = read_results(play, beta, beta.person("bob@beta.test"), letter.message_id);
  check_reading(play, reading, "INBOX", {{"spf", "fail"}, {"dkim", "pass"}, {"dmarc", "pass"}});
  stage.note(kCarried);
}

/// Kei's letter through the list to Bob.
Reading through_the_list(Play& play, MailingList::Seals seals) {
  auto& stage = play.stage;
  auto& world = play.world;
  auto& bob = world.beta().person("bob@beta.test");
  auto list = MailingList::open(world, {.at = world.endpoint("127.0.4.2", kSmtp),
                                        .host = "lists.gamma.test",
                                        .address = "chat@lists.gamma.test",
                                        .owner = "chat-owner@gamma.test",
                                        .subscriber = bob.address,
                                        .subscribers_server = world.beta().endpoint(kSmtp),
                                        .seals = seals,
                                        .site = &world.gamma()});
  if (!list) stage.require(false, kOpened, list.error().describe());
  Letter letter{.from = "Kei <kei@strict.test>",
                .to = "Chat <chat@gamma.test>",
                .subject = "Who comes on Sunday?",
                .body = "I will bring tea.\r\n\r\nKei\r\n",
                .message_id = play.make_id("strict.test")};
  stage.step(kListStep);
  auto& kei = world.alpha().person("kei@strict.test");
  auto reply = play.submit(world.alpha(), kei, "chat@gamma.test", letter);
  stage.require(reply.positive(), kTaken, reply.to_string());

  auto passed_on = play.await_story(world.beta(), letter.message_id, [](auto&) { return true; });
  stage.step(kProgramStep, "127.0.4.2");
  stage.story("list", (*list)->story());
  stage.require(passed_on.has_value(), kCame);

  stage.step(kAtBetaStep);
  stage.check(show_reasons(play, "beta", world.beta(), letter.message_id), kRecorded, "beta");
  stage.step(kReadStep);
  auto reading = read_results(play, world.beta(), bob, letter.message_id);
  auto text = fetch_text(play, world.beta(), bob, reading);
  stage.check(reading.header.contains("\r\nSubject: [chat] Who comes on Sunday?\r\n") &&
                  text.contains("\r\n-- \r\nThe list chat@gamma.test"),
              kChanged);
  return reading;
}

void run_list(Play& play) {
  auto reading = through_the_list(play, MailingList::Seals::No);
  check_reading(play, reading, "Junk", {{"spf", "pass"}, {"dkim", "fail"}, {"dmarc", "fail"}});
  play.stage.note(kBroken);
}

void run_sealed(Play& play) {
  auto reading = through_the_list(play, MailingList::Seals::Yes);
  check_reading(play, reading, "INBOX", {{"dkim", "fail"}, {"dmarc", "fail"}, {"arc", "pass"}});
  play.stage.note(kChain);
}

}  // namespace

Scene scene_forwarder() {
  return {
      .name = "forwarder",
      .title = {"The forwarder: SPF breaks, DKIM carries", "転送: SPF は破れ、DKIM は届く"},
      .about = {"gamma.test passes what comes to an old address on to the new one. For the next "
                "server the letter then comes from the wrong machine.",
                "gamma.test は、昔のアドレスに来たものを新しいアドレスへ取り次ぎます。次の"
                "サーバーから見れば、手紙は違う機械から来たことになります。"},
      .run = run_forwarder,
      .spoilt_by = {"beta does not find alpha's keys in the DNS",
                    "beta は alpha の鍵を DNS で見つけられない"},
      .spoil = [](World& world) -> Result<void> {
        return world.remove_keys(world.alpha(), world.beta());
      },
  };
}

Scene scene_list() {
  return {
      .name = "list",
      .title = {"The list that changes the Subject", "件名を変えるメーリングリスト"},
      .about =
          {"A mailing list puts its name into the Subject and a footer below the text. That is "
           "enough to break every signature, and the author's domain asks for refusal.",
           "メーリングリストは件名に名前を、本文の下にフッターを加えます。それだけでどの署名も"
           "壊れます。しかも差出人のドメインは拒否を求めています。"},
      .run = run_list,
      .spoilt_by = {"beta makes an exception for the list's server (dmarc.exceptions)",
                    "beta がリストのサーバーを例外とする (dmarc.exceptions)"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("dmarc.exceptions", R"(["127.0.4.2"])");
      },
  };
}

Scene scene_list_sealed() {
  return {
      .name = "list-arc",
      .title = {"The same list, sealing (ARC)", "封印するメーリングリスト (ARC)"},
      .about =
          {"Now the list seals what it passes on: its own findings about the letter as it came, "
           "and a signature over the letter as it leaves. Who trusts the list can rely on that.",
           "今度はリストが封印して取り次ぎます。届いたときの手紙について調べた結果と、出ていく"
           "手紙への署名です。リストを信頼する者は、それを頼りにできます。"},
      .run = run_sealed,
      .spoilt_by = {"beta trusts no sealer (arc.trusted_sealers = [])",
                    "beta はどの封印者も信頼しない (arc.trusted_sealers = [])"},
      .spoil = [](World& world) -> Result<void> {
        return world.beta().restart_with("arc.trusted_sealers", "[]");
      },
  };
}

}  // namespace hikyaku::app::lab
