// Which server: MX preference with fall-back, and a domain without MX.
#include "app/lab.h"
#include "app/lab_journey.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kDnsStep{"what the DNS says", "DNS の答え"};
constexpr Phrase kTwo{"two servers: the lower number is preferred",
                      "サーバーは二つ。数の小さい方が優先される"};
constexpr Phrase kSend{"Anna writes to {}", "Anna が {} に書く"};
constexpr Phrase kFellBack{"the first did not answer, so alpha went to the second: {}",
                           "一つ目は応答せず、alpha は二つ目へ行った: {}"};
constexpr Phrase kTriedFirst{"the preferred one was really tried first",
                             "優先される方が先に試された"};
constexpr Phrase kNone{"there is no MX: the domain itself is the server (RFC 5321 §5.1)",
                       "MX はない。ドメイン自身がサーバーになる (RFC 5321 §5.1)"};
constexpr Phrase kWentThere{"alpha delivered to the address of the domain itself: {}",
                            "alpha はドメイン自身のアドレスに届けた: {}"};

void run_fallback(Play& play) {
  Journey journey(play, "bob@fallback.test", "Two doors");
  play.stage.step(kDnsStep);
  auto mx = play.world.look_up("fallback.test", dns::Type::MX);
  play.stage.dns("fallback.test MX", mx);
  play.stage.dns("gone.fallback.test A", play.world.look_up("gone.fallback.test", dns::Type::A));
  play.stage.dns("mx.beta.test A", play.world.look_up("mx.beta.test", dns::Type::A));
  play.stage.check(mx.contains("MX 10 gone.fallback.test") && mx.contains("MX 20 mx.beta.test"),
                   kTwo);
  play.stage.step(kSend, "bob@fallback.test");
  journey.submit();
  auto delivered = journey.await_attempt("delivered");
  journey.show_events();
  play.stage.require(delivered && text_of(*delivered, "host") == "mx.beta.test", kFellBack,
                     delivered ? text_of(*delivered, "endpoint") : "");
  play.stage.check(boost::json::serialize(*delivered).contains("gone.fallback.test ["),
                   kTriedFirst);
  journey.read_at_beta("bob@beta.test");
}

void run_no_mx(Play& play) {
  Journey journey(play, "bob@nomx.test", "No MX");
  play.stage.step(kDnsStep);
  auto mx = play.world.look_up("nomx.test", dns::Type::MX);
  play.stage.dns("nomx.test MX", mx);
  play.stage.dns("nomx.test A", play.world.look_up("nomx.test", dns::Type::A));
  play.stage.check(mx == "no such record", kNone);
  play.stage.step(kSend, "bob@nomx.test");
  journey.submit();
  auto delivered = journey.await_attempt("delivered");
  journey.show_events();
  play.stage.require(delivered && text_of(*delivered, "host") == "nomx.test", kWentThere,
                     delivered ? text_of(*delivered, "endpoint") : "");
  journey.read_at_beta("bob@beta.test");
}

}  // namespace

Scene scene_mx_fallback() {
  return {
      .name = "mx-fallback",
      .title = {"MX preference and fall-back", "MX の優先順位と代替"},
      .about = {"A domain may name several servers. The one with the lowest number is asked first; "
                "when it does not answer, the next.",
                "ドメインは複数のサーバーを指定できます。数の最も小さいものから試し、応答がなければ"
                "次へ行きます。"},
      .run = run_fallback,
      .spoilt_by = {"the second MX record is removed", "二つ目の MX レコードを取り除く"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("fallback.test. MX 20", {}, world.alpha());
      },
  };
}

Scene scene_no_mx() {
  return {
      .name = "no-mx",
      .title = {"A domain without MX", "MX のないドメイン"},
      .about = {"Without an MX record, mail goes to the address of the domain itself.",
                "MX レコードがなければ、メールはドメイン自身のアドレスへ行きます。"},
      .run = run_no_mx,
      .spoilt_by = {"the domain's address record is removed",
                    "ドメインのアドレスレコードを取り除く"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("nomx.test. ", {}, world.alpha());
      },
  };
}

}  // namespace hikyaku::app::lab
