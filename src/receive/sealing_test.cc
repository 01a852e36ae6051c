#include "receive/sealing.h"

#include <doctest/doctest.h>

namespace hikyaku::receive {
namespace {

queue::Entry forwarded(std::string alias) {
  queue::Entry entry;
  entry.destination = "gamma.test";
  entry.delivered_to = std::move(alias);
  return entry;
}

TEST_CASE("the alias' domain seals before the host's") {
  Plan plan;
  CHECK(sealing_domains(plan, "mx.alpha.test") == std::vector<std::string>{"mx.alpha.test"});
  plan.queued = {forwarded("a@beta.test"), forwarded(""), forwarded("b@beta.test"),
                 forwarded("\"x@y\"@bücher.test"), forwarded("c@no domain")};
  CHECK(sealing_domains(plan, "MX.alpha.test") ==
        std::vector<std::string>{"beta.test", "xn--bcher-kva.test", "mx.alpha.test"});
}

TEST_CASE("RSA seals where there is a choice") {
  CHECK_FALSE(choose_sealing_key({}));
  auto ed = dkim::SigningKey{"a.test", "ed",
                             crypto::PrivateKey::generate(crypto::KeyType::Ed25519).value()};
  auto rsa =
      dkim::SigningKey{"a.test", "rsa", crypto::PrivateKey::generate(crypto::KeyType::Rsa).value()};
  CHECK(choose_sealing_key({ed})->selector == "ed");
  CHECK(choose_sealing_key({ed, rsa})->selector == "rsa");
  CHECK(choose_sealing_key({rsa, ed})->selector == "rsa");
}

}  // namespace
}  // namespace hikyaku::receive
