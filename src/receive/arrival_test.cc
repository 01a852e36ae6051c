#include "receive/arrival.h"

#include <doctest/doctest.h>

#include "dmarc/record.h"
#include "testing/world.h"

namespace hikyaku::receive {
namespace {

TEST_CASE("reports are not reported on, and forged mail is, whomever else it is for") {
  testing::World world(testing::World::Passwords::None);
  auto evaluated = [&](std::initializer_list<const char*> to, dmarc::Result result) {
    Delivery delivery;
    delivery.from.mailbox = smtp::parse_mailbox("anna@many.test").value();
    for (auto* address : to)
      delivery.recipients.push_back({smtp::parse_mailbox(address).value(), {}});
    dmarc::Outcome outcome;
    outcome.result = result;
    outcome.discovery.state = dmarc::Discovery::State::Found;
    outcome.discovery.author_domain = outcome.discovery.policy_domain = "many.test";
    outcome.discovery.record = std::make_shared<dmarc::Record>(
        dmarc::parse_record("v=DMARC1; p=none; rua=mailto:r@many.test").value());
    auto& found = delivery.found.emplace();
    found.dmarc.result = result;
    found.dmarc.outcomes = {outcome};
    return !world.loop.run(evaluations_of(world.settings, world.store, delivery)).empty();
  };
  constexpr auto kReports = "dmarc-reports@alpha.test";
  for (auto result : {dmarc::Result::Pass, dmarc::Result::Fail}) {
    CHECK(evaluated({"anna@alpha.test"}, result));
    CHECK_FALSE(evaluated({kReports}, result));
    // No domain of ours.
    CHECK(evaluated({"dmarc-reports@beta.test"}, result));
  }
  CHECK_FALSE(evaluated({"anna@alpha.test", kReports}, dmarc::Result::Pass));
  CHECK(evaluated({"anna@alpha.test", kReports}, dmarc::Result::Fail));
}

}  // namespace
}  // namespace hikyaku::receive
