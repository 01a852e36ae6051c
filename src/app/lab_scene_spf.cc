// SPF: pass, fail and none side by side; a domain that sends nothing; a domain with only SPF.
#include "app/lab.h"
#include "app/lab_evidence.h"
#include "app/lab_journey.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kSameStep{"Mallory's server ({}) brings three letters, each with another sender",
                           "Mallory のサーバー ({}) が、送信者の違う三通を持ってくる"};
constexpr Phrase kTaken{"beta took it: {}", "beta が受け取った: {}"};
constexpr Phrase kWhyStep{"MAIL FROM {}: what beta asked, and what it concluded",
                          "MAIL FROM {}: beta が尋ねたことと、その結論"};
constexpr Phrase kRecorded{"beta has recorded the message", "beta にメッセージの記録がある"};
constexpr Phrase kMarked{
    "fail is marked. By itself it refuses nothing (but see spf.refuse_fail); where a DMARC policy "
    "asks for refusal, it is a witness",
    "fail は印が付きます。それだけで拒否することはありませんが (spf.refuse_fail も参照)、DMARC "
    "ポリシーが拒否を求めるときは証拠になります"};

constexpr Phrase kDnsStep{"what parked.test publishes", "parked.test の公開しているもの"};
constexpr Phrase kForgeStep{"Mallory sends as news@parked.test",
                            "Mallory が news@parked.test を名乗って送る"};
constexpr Phrase kRefused{"beta refuses it after the data: {}", "beta は本文のあとで拒否する: {}"};
constexpr Phrase kWhyRefused{"why", "その理由"};
constexpr Phrase kNotThere{"read back by IMAP: it is in no mailbox of Carla's",
                           "IMAP で読み返す: Carla のどのメールボックスにもない"};
constexpr Phrase kWriteStep{"Anna writes to info@parked.test", "Anna が info@parked.test に書く"};
constexpr Phrase kAtOnce{"alpha gives up at once: {}", "alpha はすぐにあきらめる: {}"};

constexpr Phrase kHonestStep{"spfonly.test's own server (127.0.1.1) sends",
                             "spfonly.test 自身のサーバー (127.0.1.1) が送る"};
constexpr Phrase kForgedStep{"Mallory puts the same From into a letter of hers",
                             "Mallory が自分の手紙に同じ From を書く"};
constexpr Phrase kSameFrom{
    "both show Carla the same From, and SPF passes for both: it only speaks "
    "of the envelope",
    "Carla に見える From は同じで、SPF はどちらも合格: SPF が語るのは"
    "エンベロープだけ"};

Letter letter_from(Play& play, std::string from, std::string subject) {
  return {.from = std::move(from),
          .to = "Carla <carla@beta.test>",
          .subject = std::move(subject),
          .body = "Who am I?\r\n",
          .message_id = play.make_id("mallory.test")};
}

struct Case {
  std::string sender, result;
};

void run_side_by_side(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& mallory = play.world.mallory();
  auto& carla = beta.person("carla@beta.test");
  const Case cases[] = {{"news@newsletter.test", "pass"},
                        {"anna@alpha.test", "fail"},
                        {"mallory@mallory.test", "none"}};
  std::vector<std::string> ids;
  stage.step(kSameStep, mallory.address().to_string());
  for (auto& [sender, result] : cases) {
    auto letter = letter_from(play, "<" + sender + ">", "SPF: " + sender);
    auto reply = bring(play, beta, {mallory.address(), mallory.host(), sender, carla.address},
                       letter.text());
    stage.require(reply.positive(), kTaken, reply.to_string());
    ids.push_back(letter.message_id);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    stage.step(kWhyStep, cases[i].sender);
    stage.check(show_reasons(play, "beta", beta, ids[i]), kRecorded);
    auto reading = read_results(play, beta, carla, ids[i]);
    check_reading(play, reading, "INBOX", {{"spf", cases[i].result}});
    if (cases[i].result == "fail") stage.note(kMarked);
  }
}

void show_dns(Play& play, const std::string& name, dns::Type type) {
  play.stage.dns(name + " " + dns::to_string(type), play.world.look_up(name, type));
}

void run_nothing(Play& play) {
  auto& stage = play.stage;
  auto& beta = play.world.beta();
  auto& mallory = play.world.mallory();
  auto& carla = beta.person("carla@beta.test");
  stage.step(kDnsStep);
  show_dns(play, "parked.test", dns::Type::TXT);
  show_dns(play, "parked.test", dns::Type::MX);
  show_dns(play, "_dmarc.parked.test", dns::Type::TXT);

  stage.step(kForgeStep);
  auto letter = letter_from(play, "News <news@parked.test>", "Great news");
  auto reply =
      bring(play, beta, {mallory.address(), mallory.host(), "news@parked.test", carla.address},
            letter.text());
  stage.check(reply.to_string().starts_with("550 5.7.1"), kRefused, reply.to_string());
  stage.step(kWhyRefused);
  show_reasons(play, "beta", beta, letter.message_id);
  auto reading = read_results(play, beta, carla, letter.message_id, milliseconds(0));
  stage.check(reading.mailbox.empty(), kNotThere);

  stage.step(kWriteStep);
  Journey journey(play, "info@parked.test", "Hello?");
  journey.submit();
  auto bounced = journey.await_attempt("bounced");
  journey.show_events();
  stage.require(bounced.has_value(), kAtOnce, bounced ? text_of(*bounced, "reply") : "");
  journey.read_bounce("5.1.10");
}

void run_only(Play& play) {
  auto& stage = play.stage;
  auto& world = play.world;
  auto& beta = world.beta();
  auto& carla = beta.person("carla@beta.test");
  auto send = [&](const Site& server, std::string_view mail_from, std::string body) {
    auto letter = letter_from(play, "Sales <sales@spfonly.test>", "Your order");
    letter.body = std::move(body);
    auto reply = bring(play, beta, {server.address(), server.host(), mail_from, carla.address},
                       letter.text());
    stage.require(reply.positive(), kTaken, reply.to_string());
    show_reasons(play, "beta", beta, letter.message_id);
    auto reading = read_results(play, beta, carla, letter.message_id);
    check_reading(play, reading, "INBOX", {{"spf", "pass"}, {"dkim", "none"}, {"dmarc", "none"}});
    return reading;
  };
  stage.step(kHonestStep);
  auto honest = send(world.alpha(), "sales@spfonly.test", "It is on its way.\r\n");
  stage.step(kForgedStep);
  auto forged = send(world.mallory(), "news@newsletter.test", "Pay to another account.\r\n");
  constexpr std::string_view kFrom = "From: Sales <sales@spfonly.test>\r\n";
  stage.check(honest.header.contains(kFrom) && forged.header.contains(kFrom), kSameFrom);
}

}  // namespace

Scene scene_spf() {
  return {
      .name = "spf",
      .title = {"SPF: pass, fail, none", "SPF: pass、fail、none"},
      .about = {"A domain says in its DNS which servers send its mail. One server, three senders: "
                "the first domain names it, the second names others, the third says nothing.",
                "ドメインは、自分のメールを送るサーバーを DNS で公開します。一つのサーバーと三人の"
                "送信者: 一つ目のドメインはそのサーバーを挙げ、二つ目は別のサーバーだけを挙げ、"
                "三つ目は何も公開していません。"},
      .run = run_side_by_side,
      .spoilt_by = {"newsletter.test no longer names Mallory's server",
                    "newsletter.test が Mallory のサーバーを挙げなくなる"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("newsletter.test. TXT", "newsletter.test. TXT \"v=spf1 ?all\"",
                                   world.beta());
      },
  };
}

Scene scene_sends_nothing() {
  return {
      .name = "sends-nothing",
      .title = {"A domain that sends nothing", "何も送らないドメイン"},
      .about = {"A domain without mail should say so: no server may send for it (v=spf1 -all), "
                "forgeries are to be refused (p=reject), and it takes no mail (null MX).",
                "メールを使わないドメインは、そう公開しておくべきです。送ってよいサーバーはなく "
                "(v=spf1 -all)、偽物は拒否してほしく (p=reject)、メールも受け取りません "
                "(null MX)。"},
      .run = run_nothing,
      .spoilt_by = {"parked.test's SPF record allows everybody (+all)",
                    "parked.test の SPF レコードが誰にでも許可する (+all)"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("parked.test. TXT", "parked.test. TXT \"v=spf1 +all\"",
                                   world.beta());
      },
  };
}

Scene scene_spf_only() {
  return {
      .name = "spf-only",
      .title = {"A domain with only SPF", "SPF だけのドメイン"},
      .about = {"SPF alone speaks of MAIL FROM, which no reader looks at. Without DKIM and DMARC "
                "anybody may write the domain into From.",
                "SPF だけでは、読み手の目に触れない MAIL FROM しか語れません。DKIM と DMARC が"
                "なければ、誰でもそのドメインを From に書けます。"},
      .run = run_only,
      .spoilt_by = {"spfonly.test gets a DMARC record with p=reject: the forgery is found out",
                    "spfonly.test が p=reject の DMARC レコードを得て、偽物が見破られる"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("spfonly.test. TXT",
                                   "spfonly.test. TXT \"v=spf1 ip4:127.0.1.1 -all\"\n"
                                   "_dmarc.spfonly.test. TXT \"v=DMARC1; p=reject\"",
                                   world.beta());
      },
  };
}

}  // namespace hikyaku::app::lab
