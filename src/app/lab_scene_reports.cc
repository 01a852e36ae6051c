// DMARC reports: beta tells alpha what came in alpha's name.
#include <algorithm>
#include <fmt/core.h>

#include "app/lab.h"
#include "app/lab_evidence.h"
#include "base/text.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kAsksStep{"alpha.test asks for reports", "alpha.test は報告を求めている"};
constexpr Phrase kMailStep{"an honest letter of Anna's, and a forgery by Mallory, to Carla",
                           "Carla に、Anna の正直な手紙と、Mallory の偽物"};
constexpr Phrase kTaken{"the message was taken: {}", "メッセージが受け取られた: {}"};
constexpr Phrase kBoth{"beta has judged both: dmarc={} and dmarc={}",
                       "beta は両方を調べた: dmarc={} と dmarc={}"};
constexpr Phrase kSendStep{"beta reports: hikyaku reports dmarc --send-now --domain alpha.test",
                           "beta が報告する: hikyaku reports dmarc --send-now --domain alpha.test"};
constexpr Phrase kUsually{
    "By itself it does so once the day is over, at a minute that nobody can know; the command does "
    "the same at once.",
    "ふだんは一日が終わったあと、誰にも分からない時刻に自分で送ります。コマンドは同じことを"
    "すぐに行います。"};
constexpr Phrase kSent{"a report about {} [message|messages] is on its way to {}",
                       "{} 通についての報告が {} へ向かっている"};
constexpr Phrase kMailedStep{"the report as mail: it arrives at alpha like any other message",
                             "メールとしての報告: ほかのメッセージと同じように alpha に届く"};
constexpr Phrase kArrived{"it is a gzip file of XML, and read back by IMAP it is signed: {}",
                          "XML を gzip で圧縮したもので、IMAP で読み返すと署名がある: {}"};
constexpr Phrase kShowStep{"alpha reads its reports: hikyaku reports dmarc --domain alpha.test",
                           "alpha が報告を読む: hikyaku reports dmarc --domain alpha.test"};
constexpr Phrase kShown{"beta.test's report is shown", "beta.test の報告が示される"};
constexpr Phrase kTold{"{} sends as alpha.test and passes; {} claims to and proves nothing",
                       "{} は alpha.test として送り、合格。{} は名乗るだけで何も示せない"};

constexpr std::string_view kOwn = "127.0.1.0/24", kMallorys = "127.0.3.0/24";

struct Source {
  std::int64_t messages = 0, passed = 0;
};

std::int64_t number_of(const boost::json::object& object, std::string_view member) {
  auto value = object.if_contains(member);
  return value && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

Source find_source(const std::vector<boost::json::object>& items, std::string_view network) {
  for (auto& item : items)
    if (text_of(item, "kind") == "source" && text_of(item, "network") == network)
      return {number_of(item, "messages"), number_of(item, "passed")};
  return {};
}

void send_both(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& beta = play.world.beta();
  auto& mallory = play.world.mallory();
  auto& carla = beta.person("carla@beta.test");
  Letter honest{.from = "Anna <anna@alpha.test>",
                .to = "Carla <carla@beta.test>",
                .subject = "From me",
                .body = "Anna\r\n",
                .message_id = play.make_id(alpha.domain())};
  auto forged = honest;
  forged.message_id = play.make_id(mallory.domain());
  stage.step(kMailStep);
  auto reply =
      play.submit(alpha, alpha.person("anna@alpha.test"), carla.address, honest, {.aloud = false});
  stage.require(reply.positive(), kTaken, reply.to_string());
  reply =
      bring(play, beta, {mallory.address(), mallory.host(), "mallory@mallory.test", carla.address},
            forged.text());
  stage.require(reply.positive(), kTaken, reply.to_string());
  auto first = read_results(play, beta, carla, honest.message_id);
  auto second = read_results(play, beta, carla, forged.message_id);
  stage.require(first.result("dmarc") == "pass" && second.result("dmarc") == "fail", kBoth,
                first.result("dmarc"), second.result("dmarc"));
}

void report(Play& play) {
  auto& stage = play.stage;
  stage.step(kSendStep);
  stage.note(kUsually);
  std::vector<boost::json::object> sent;
  (void)play.world.beta().ask("reports.send", {{"domain", "alpha.test"}}, &sent);
  for (auto& item : sent)
    stage.story("beta", fmt::format("{} {} {} {}", text_of(item, "day"), text_of(item, "domain"),
                                    text_of(item, "state"), text_of(item, "problem")));
  auto done =
      std::ranges::find_if(sent, [](auto& item) { return text_of(item, "state") == "sent"; });
  auto there = done != sent.end();
  stage.require(there, kSent, there ? number_of(*done, "messages") : 0,
                there ? text_of(*done, "to") : "?");
}

void read_report_mail(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  auto& anna = alpha.person("anna@alpha.test");
  stage.step(kMailedStep);
  auto uid = play.await_search(alpha, anna, "SUBJECT \"Report Domain: alpha.test\"");
  auto text = uid ? play.read_aloud(alpha, anna, *uid, 40) : "";
  stage.check(text.contains("dkim=pass") && text.contains("header.d=beta.test") &&
                  text.contains("application/gzip"),
              kArrived, "beta.test");
}

void show_reports(Play& play) {
  auto& stage = play.stage;
  auto& alpha = play.world.alpha();
  stage.step(kShowStep);
  std::vector<boost::json::object> items;
  Source own, others;
  auto told = play.eventually([&] {
    items.clear();
    (void)alpha.ask("reports.dmarc", {{"domain", "alpha.test"}}, &items);
    own = find_source(items, kOwn);
    others = find_source(items, kMallorys);
    return own.messages > 0 && others.messages > 0;
  });
  auto language = stage.language() == Language::Japanese ? "ja" : "en";
  auto shown = run_program({"reports", "dmarc", "--domain", "alpha.test", "--lang", language,
                            "--dir", alpha.instance().config.parent_path().string()});
  if (shown) stage.story("alpha", *shown);
  stage.check(told && shown && shown->contains("beta.test"), kShown);
  stage.check(own.passed > 0 && others.passed < others.messages, kTold, kOwn, kMallorys);
}

void run(Play& play) {
  play.stage.step(kAsksStep);
  play.stage.dns("_dmarc.alpha.test TXT", play.world.look_up("_dmarc.alpha.test", dns::Type::TXT));
  send_both(play);
  report(play);
  read_report_mail(play);
  show_reports(play);
}

}  // namespace

Scene scene_reports() {
  return {
      .name = "reports",
      .title = {"A report comes back", "報告が戻ってくる"},
      .about =
          {"Who receives mail in alpha.test's name tells alpha.test, if its DMARC record asks "
           "for it (rua): who sent it, and what passed. So alpha learns of its forgers, and of "
           "machines of its own that it forgot.",
           "alpha.test を名乗るメールを受け取った側は、DMARC レコードが求めていれば (rua)、"
           "誰が送り何が合格したかを alpha.test に知らせます。alpha は偽物のことも、自分の忘れて"
           "いた機械のことも知ります。"},
      .run = run,
      .spoilt_by = {"alpha.test's DMARC record names nobody who wants reports",
                    "alpha.test の DMARC レコードに報告の宛先がない"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("_dmarc.alpha.test. TXT",
                                   "_dmarc.alpha.test. TXT \"v=DMARC1; p=none\"", world.beta());
      },
  };
}

}  // namespace hikyaku::app::lab
