#include "auth/authenticator.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <utility>
#include <vector>

#include "base/async.h"
#include "base/gate.h"
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
      case LoginFailure::Unavailable:
        return "unavailable";
      default:
        return "another failure";
    }
  }
  /// Another authenticator on the same directory.
  void remake(CredentialUses with, milliseconds delay = milliseconds(0)) {
    AuthenticatorSettings login;
    login.host_name = "mx.alpha.test";
    login.uses = [with] { return with; };
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

TEST_CASE("a password has so many bytes") {
  Fixture f;
  CredentialMaker maker{f.master, f.random, "bob@alpha.test", f.loop.now()};
  CHECK(make_password(maker, crypto::Secret(std::string(1'024, 'x')), {}));
  CHECK(!make_password(maker, crypto::Secret(std::string(1'025, 'x')), {}));
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

/// Keeps the reasons of refused logins.
class Reasons final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override {
    if (line.contains("event=login.fail")) last = line;
  }
  std::string last;
};

TEST_CASE(
    "with another secret.key: PLAIN mends a chosen password, the log says why all else fails") {
  Fixture f;
  auto app =
      make_app_password({f.master, f.random, "bob@alpha.test", f.loop.now()}, "phone", f.uses)
          .value();
  f.change([&](store::Transaction& tx) -> Result<void> {
    put_credential(tx, f.bob.id, app.stored);
    return {};
  });
  f.master = crypto::MasterKey::generate(f.random);
  Reasons reasons;
  AuthenticatorSettings login;
  login.host_name = "mx.alpha.test";
  login.uses = [&f] { return f.uses; };
  login.failure_delay = milliseconds(0);
  f.authenticator = make_authenticator(login, {f.store, f.pool, f.loop, f.random, f.master},
                                       Log(reasons, LogLevel::Info));
  auto belongs = [&](const Account& account, std::string_view name) {
    return belongs_to(f.master, account.address,
                      *find_credential(f.store.keys(), account.id, name));
  };
  CHECK_FALSE(belongs(f.anna, kPassword));
  CHECK_FALSE(belongs(f.bob, "phone"));

  CHECK(f.apop("anna@alpha.test", "secret") == "denied");
  CHECK_MESSAGE(reasons.last.contains("cannot be opened with this secret.key"), reasons.last);
  CHECK(f.check("bob@alpha.test", std::string(app.password.reveal())) == "denied");
  CHECK_MESSAGE(reasons.last.contains("made with another secret.key"), reasons.last);

  CHECK(f.check("anna@alpha.test", "secret") == "anna@alpha.test PLAIN password");
  CHECK(belongs(f.anna, kPassword));
  CHECK(find_credential(f.store.keys(), f.anna.id, kPassword)->ready().scram);
  CHECK(f.apop("anna@alpha.test", "secret") == "anna@alpha.test APOP password");
  CHECK(f.apop("anna@alpha.test", "wrong") == "denied");
  CHECK_FALSE(reasons.last.contains("secret.key"));
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
                                        .uses = [&f] { return f.uses; },
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

/// Keeps what is submitted until it is told to run it: an attack that takes its time.
class HeldPool final : public WorkerPool {
 public:
  void submit(Callback work) override { held_.push_back(std::move(work)); }
  void run_all() {
    for (auto& work : std::exchange(held_, {})) work();
  }

 private:
  std::vector<Callback> held_;
};

/// Logins that are under way at the same time.
struct Crowd : Fixture {
  HeldPool held;
  Gate gate{end_process};
  std::vector<std::string> told;  ///< in the order of their ends

  explicit Crowd(const LoginLimits& limits) {
    AuthenticatorSettings login;
    login.host_name = "mx.alpha.test";
    login.failure_delay = milliseconds(0);
    login.limits = limits;
    authenticator = make_authenticator(
        login, {.store = store, .workers = held, .clock = loop, .random = random, .master = master},
        {});
  }
  Task<void> attempt(std::string ip, std::string password) {
    auto answer = co_await authenticator->check_password(from(ip), "bob@alpha.test", password);
    told.push_back(Fixture::told(answer));
  }
  void begin(std::string ip, std::string password = "wrong") {
    gate.spawn(attempt(std::move(ip), std::move(password)));
    loop.run_ready();
  }
  void let_all_end() {
    loop.run(run_held());
    gate.close([] {});
  }

 private:
  Task<void> run_held() {
    for (int rounds = 0; gate.running() > 0 && rounds < 100; ++rounds) {
      held.run_all();
      co_await sleep_for(milliseconds(1));
    }
  }
};

TEST_CASE("of one network so many wait for a password, and others have room beside them") {
  Crowd crowd({.max_failures = 100, .max_waiting = 50, .max_waiting_per_network = 3});
  for (int i = 0; i < 5; ++i) crowd.begin("192.0.2.99");
  CHECK(crowd.told == std::vector<std::string>(2, "unavailable"));
  crowd.begin("2001:db8::1");
  crowd.begin("2001:db8::2");
  crowd.begin("2001:db8::3");
  CHECK(crowd.told.size() == 2);
  crowd.begin("2001:db8::4");  // the same /64
  CHECK(crowd.told.size() == 3);
  crowd.begin("192.0.2.98", "secret");
  CHECK(crowd.told.size() == 3);
  crowd.let_all_end();
  CHECK(std::ranges::count(crowd.told, "denied") == 6);
  CHECK(std::ranges::count(crowd.told, "bob@alpha.test PLAIN password") == 1);
}

TEST_CASE("so many wait for a password in total, and those who come then are told so") {
  Crowd crowd({.max_failures = 100, .max_waiting = 4, .max_waiting_per_network = 3});
  for (auto ip : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"}) crowd.begin(ip);
  CHECK(crowd.told.empty());
  crowd.begin("192.0.2.5");
  CHECK(crowd.told == std::vector<std::string>(1, "unavailable"));
  crowd.let_all_end();
  CHECK(crowd.told.size() == 5);
}

}  // namespace
}  // namespace hikyaku::auth
