// What comes back at once: a wrong recipient, and a domain that takes no mail.
#include <fmt/core.h>

#include "app/lab.h"
#include "app/lab_journey.h"

namespace hikyaku::app::lab {
namespace {

constexpr Phrase kWrongStep{"Anna writes to nobody@beta.test, whom nobody knows",
                            "Anna が、存在しない nobody@beta.test に書く"};
constexpr Phrase kTheySay{"alpha hands it to beta, and beta says no",
                          "alpha が beta に渡すと、beta は断る"};
constexpr Phrase kRefused{"beta refused the recipient with 550 5.1.1",
                          "beta は宛先を 550 5.1.1 で断った"};
constexpr Phrase kOnce{"alpha tried exactly once: 5yz means never",
                       "alpha は一度しか試さない: 5yz は「二度と」の意味"};
constexpr Phrase kNullStep{"Anna writes to bob@nullmx.test, a domain with a null MX",
                           "Anna が、null MX のドメイン bob@nullmx.test に書く"};
constexpr Phrase kNullDns{"what the DNS says", "DNS の答え"};
constexpr Phrase kIsNull{"the domain says itself that it takes no mail (RFC 7505)",
                         "ドメイン自身がメールを受けないと宣言している (RFC 7505)"};
constexpr Phrase kNobodyAsked{"alpha connected to nobody, and gave up at once",
                              "alpha はどこにも接続せず、すぐに諦めた"};

void run_wrong(Play& play) {
  Journey journey(play, "nobody@beta.test", "To nobody");
  play.stage.step(kWrongStep);
  journey.submit();
  play.stage.step(kTheySay);
  auto refused = journey.await_attempt("bounced");
  journey.show_dialogue();
  play.stage.require(refused && text_of(*refused, "reply").starts_with("550 5.1.1"), kRefused);
  play.stage.check(journey.attempts() == 1, kOnce);
  journey.read_bounce("5.1.1");
}

void run_null(Play& play) {
  Journey journey(play, "bob@nullmx.test", "To a domain that takes none");
  play.stage.step(kNullDns);
  auto mx = play.world.look_up("nullmx.test", dns::Type::MX);
  play.stage.dns("nullmx.test MX", mx);
  play.stage.dns("nullmx.test A", play.world.look_up("nullmx.test", dns::Type::A));
  play.stage.check(mx == "MX 0 .", kIsNull);
  play.stage.step(kNullStep);
  journey.submit();
  auto refused = journey.await_attempt("bounced");
  journey.show_events();
  play.stage.require(refused && text_of(*refused, "endpoint").empty(), kNobodyAsked);
  journey.read_bounce("5.1.10");
}

}  // namespace

Scene scene_wrong_recipient() {
  return {
      .name = "wrong-recipient",
      .title = {"A wrong recipient", "宛先の間違い"},
      .about =
          {"The other side does not know the recipient and says so with 550. The message comes "
           "back to its sender as a bounce with the other side's words.",
           "相手は宛先を知らず、550 と答えます。メールは、相手の言葉を添えたバウンスとして"
           "送信者に戻ります。"},
      .run = run_wrong,
      .spoilt_by = {"beta.test takes mail for every name (catch-all)",
                    "beta.test がすべての名前宛のメールを受け取る(catch-all)"},
      .spoil = [](World& world) -> Result<void> {
        TRY_DO(world.beta().ask("domain.catch-all",
                                {{"domain", "beta.test"}, {"address", "bob@beta.test"}}));
        return {};
      },
  };
}

Scene scene_null_mx() {
  return {
      .name = "null-mx",
      .title = {"A domain that takes no mail", "メールを受けないドメイン"},
      .about =
          {"A domain with the record \"MX 0 .\" takes no mail. Nobody has to wait five days to "
           "learn that.",
           "「MX 0 .」というレコードを持つドメインはメールを受けません。五日も待たずに"
           "分かります。"},
      .run = run_null,
      .spoilt_by = {"the null MX record is removed", "null MX レコードを取り除く"},
      .spoil = [](World& world) -> Result<void> {
        return world.change_record("nullmx.test. MX", {}, world.alpha());
      },
  };
}

}  // namespace hikyaku::app::lab
