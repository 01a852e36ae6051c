#include "auth/authenticator.h"

#include <doctest/doctest.h>

#include "crypto/password.h"
#include "sasl/apop.h"
#include "testing/world.h"

namespace hikyaku::auth {
namespace {

using testing::World;

struct Fixture : World {
  LoginContext from(std::string_view ip = "192.0.2.99") {
    return {.protocol = "imap", .ip = *IpAddress::parse(ip), .tls = true};
  }
  /// "anna@alpha.test PLAIN password", or the failure.
  std::string check(std::string user, std::string password, std::string_view ip = "192.0.2.99") {
    return told(
        loop.run(authenticator->check_password(from(ip), std::move(user), std::move(password))));
  }
  std::string apop(std::string user, const std::string& password) {
    std::string timestamp = "<1@mx>";
    auto digest = sasl::apop_digest(timestamp, crypto::Secret(password));
    return told(loop.run(authenticator->check_apop(from(), std::move(user), timestamp, digest)));
  }
  static std::string told(const std::variant<Login, LoginFailure>& answer) {
    if (auto login = std::get_if<Login>(&answer))
      return login->address + " " + login->mechanism + " " + login->credential;
    switch (std::get<LoginFailure>(answer)) {
      case LoginFailure::Denied:
        return "denied";
      case LoginFailure::Throttled:
        return "throttled";
      case LoginFailure::Crowded:
        return "crowded";
      default:
        return "another failure";
    }
  }
  /// Another authenticator on the same directory.
  void remake(CredentialUses with, milliseconds delay = milliseconds(0)) {
    AuthenticatorSettings login;
    login.host_name = "mx.alpha.test";
    login.uses = with;
    login.failure_delay = delay;
    authenticator = make_authenticator(
        login, {.store = store, .workers = pool, .clock = loop, .random = random, .master = master},
        {});
  }
};

TEST_CASE("passwords, however the name is written; and nobody else") {
  Fixture f;
  CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
  CHECK(f.check("ANNA@Alpha.TEST", "secret") == "anna@alpha.test PLAIN password");
  CHECK(f.check("anna", "secret") == "anna@alpha.test PLAIN password");  // there is one domain
  CHECK(f.check("anna@alpha.test", "Secret") == "denied");
  CHECK(f.check("anna@alpha.test", "") == "denied");
  CHECK(f.check("sales@alpha.test", "secret") == "denied");  // an alias is no account
  CHECK(f.check("nobody@alpha.test", "secret") == "denied");
  CHECK(f.check("carl@alpha.test", "secret") == "denied");  // switched off
  CHECK(f.check("", "") == "denied");
  CHECK(f.check(std::string(100'000, 'x'), std::string(100'000, 'x')) == "denied");
}

TEST_CASE("app passwords, by name, in every way that is switched on; and their end") {
  Fixture f;
  auto app =
      make_app_password({f.master, f.random, "anna@alpha.test", f.loop.now()}, "phone", f.uses)
          .value();
  f.change([&](store::Transaction& tx) -> Result<void> {
    put_credential(tx, f.anna.id, app.stored);
    return {};
  });
  std::string password(app.password.reveal());
  CHECK(f.check("anna@alpha.test", password) == "anna@alpha.test PLAIN phone");
  CHECK(f.apop("anna@alpha.test", password) == "anna@alpha.test APOP phone");
  CHECK(f.apop("anna@alpha.test", "secret") == "anna@alpha.test APOP password");
  CHECK(f.check("bob@alpha.test", password) == "denied");
  f.change([&](store::Transaction& tx) { return remove_credential(tx, f.anna.id, "phone"); });
  CHECK(f.check("anna@alpha.test", password) == "denied");
  CHECK(f.apop("anna@alpha.test", password) == "denied");
}

TEST_CASE("what is switched on later is made at the next login with the password") {
  Fixture f;
  auto plain = make_password({f.master, f.random, "bob@alpha.test", f.loop.now()},
                             crypto::Secret("geheim"), {})
                   .value();
  f.change([&](store::Transaction& tx) -> Result<void> {
    put_credential(tx, f.bob.id, plain);
    return {};
  });
  f.remake({.scram = true, .legacy = true});
  CHECK(f.apop("bob@alpha.test", "geheim") == "denied");
  CHECK(f.check("bob@alpha.test", "wrong") == "denied");
  CHECK(!find_credential(f.store.keys(), f.bob.id, kPassword)->ready().legacy);
  CHECK(f.check("bob@alpha.test", "geheim") == "bob@alpha.test PLAIN password");
  auto stored = *find_credential(f.store.keys(), f.bob.id, kPassword);
  CHECK(stored.ready().legacy);
  CHECK(stored.ready().scram);
  CHECK(stored.hash == plain.hash);
  CHECK(f.apop("bob@alpha.test", "geheim") == "bob@alpha.test APOP password");
}

TEST_CASE("a password is the same however it is written; a taken-over hash is as typed") {
  Fixture f;
  auto set = [&](Credential credential) {
    f.change([&](store::Transaction& tx) -> Result<void> {
      put_credential(tx, f.bob.id, credential);
      return {};
    });
  };
  const std::string composed = "caf\u00E9", decomposed = "cafe\u0301";
  CredentialMaker maker{f.master, f.random, "bob@alpha.test", f.loop.now()};
  for (auto& chosen : {composed, decomposed}) {
    set(make_password(maker, crypto::Secret(chosen), {}).value());
    for (auto& typed : {composed, decomposed})
      CHECK(f.check("bob@alpha.test", typed) == "bob@alpha.test PLAIN password");
    CHECK(f.check("bob@alpha.test", "cafe") == "denied");
  }
  CHECK(!check_chosen(crypto::Secret("a\u00AD\u00AD\u00AD\u00AD\u00AD\u00AD\u00AD\u00AD")));
  auto taken_over = make_password(maker, crypto::Secret("x"), {}).value();
  taken_over.hash = crypto::hash_password(crypto::Secret(decomposed), f.random).value();
  set(taken_over);
  CHECK(f.check("bob@alpha.test", decomposed) == "bob@alpha.test PLAIN password");
  CHECK(f.check("bob@alpha.test", composed) == "denied");
}

TEST_CASE("failures are slow and counted; others and other clients are not hit") {
  Fixture f;
  f.remake({.scram = true, .legacy = true}, seconds(1));
  for (int i = 0; i < 10; ++i) {
    auto begun = f.loop.now();
    CHECK(f.apop("anna@alpha.test", "wrong") == "denied");
    CHECK(f.loop.now() - begun >= seconds(1));
  }
  CHECK(f.apop("anna@alpha.test", "secret") == "throttled");
  CHECK(f.check("anna@alpha.test", "secret") == "throttled");
  CHECK(f.check("Anna", "secret") == "throttled");
  CHECK(f.check("bob@alpha.test", "secret") == "bob@alpha.test PLAIN password");
  CHECK(f.check("anna@alpha.test", "secret", "192.0.2.98") == "anna@alpha.test PLAIN password");
  f.loop.advance(std::chrono::minutes(16));
  CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
}

TEST_CASE("a store that cannot write does not keep people out") {
  Fixture f;
  f.store.fail_with(ErrorCode::NoSpace);
  CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
}

TEST_CASE("the last use is remembered, now and then") {
  Fixture f;
  auto used = [&] { return find_credential(f.store.keys(), f.anna.id, kPassword)->last_used; };
  f.check("anna@alpha.test", "secret");
  auto first = used();
  CHECK(first == f.loop.now());
  f.loop.advance(std::chrono::minutes(10));
  f.check("anna@alpha.test", "secret");
  CHECK(used() == first);
  f.loop.advance(std::chrono::hours(1));
  f.check("anna@alpha.test", "secret");
  CHECK(used() > first);
}

/// Counts what is asked of it.
class CountingPool final : public WorkerPool {
 public:
  void submit(Callback work) override {
    ++submitted;
    work();
  }
  int submitted = 0;
};

TEST_CASE("a login that was right a while ago costs no hash, until the password is another") {
  Fixture f;
  CountingPool pool;
  f.authenticator = make_authenticator({.host_name = "mx.alpha.test",
                                        .uses = f.uses,
                                        .limits = {.remember = std::chrono::minutes(10)},
                                        .failure_delay = milliseconds(0)},
                                       {f.store, pool, f.loop, f.random, f.master}, {});
  CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
  auto once = pool.submitted;
  CHECK(once > 0);
  for (int i = 0; i < 5; ++i)
    CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
  CHECK(pool.submitted == once);
  CHECK(f.check("anna@alpha.test", "Secret") == "denied");
  CHECK(pool.submitted == once + 1);  // a wrong one is as slow as ever

  f.change([&](store::Transaction& tx) -> Result<void> {
    CredentialMaker maker{f.master, f.random, f.anna.address, f.loop.now()};
    TRY(auto other, make_password(maker, crypto::Secret("other"), f.uses));
    put_credential(tx, f.anna.id, other);
    return {};
  });
  CHECK(f.check("anna@alpha.test", "secret") == "denied");
  CHECK(f.check("anna@alpha.test", "other") == "anna@alpha.test PLAIN password");
}

TEST_CASE("an account has so many sessions at the same time, each as long as its login is kept") {
  Fixture f;
  f.authenticator->set_limits({.sessions_per_account = 2});
  auto log_in = [&] {
    return f.loop.run(f.authenticator->check_password(f.from(), "anna@alpha.test", "secret"));
  };
  auto first = log_in();
  auto second = log_in();
  CHECK(std::holds_alternative<Login>(second));
  CHECK(f.check("anna@alpha.test", "secret") == "crowded");
  CHECK(f.check("bob@alpha.test", "secret") == "bob@alpha.test PLAIN password");
  auto copy = std::get<Login>(first);
  first = LoginFailure::Denied;
  CHECK(f.check("anna@alpha.test", "secret") == "crowded");  // the copy still holds the place
  copy = {};
  CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
}

}  // namespace
}  // namespace hikyaku::auth
