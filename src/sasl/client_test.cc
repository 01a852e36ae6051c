// Our client against our server, and the lists they choose from.
#include "sasl/client.h"

#include <doctest/doctest.h>

#include "crypto/random.h"
#include "sasl/exchange.h"
#include "sasl/saslprep.h"
#include "sasl/server.h"

namespace hikyaku::sasl {
namespace {

using crypto::Secret;

struct Login {
  std::string authcid = "tim@alpha.test";
  std::string password = "tanstaaf, = \u2168";
  std::string authzid;
  std::vector<ChannelBinding> client_bindings;
  bool client_was_told = true;  ///< that channel binding is offered, if it is
  bool initial_response = true;
  std::string stored = "tanstaaf, = IX";  ///< what was prepared and stored long ago
};

const std::vector<ChannelBinding> kBindings = {{BindingType::TlsServerEndPoint, "end point"},
                                               {BindingType::TlsExporter, "exporter"}};

ServerSettings server_settings() {
  return {.nonce = "server-nonce",
          .host = "alpha.test",
          .bindings = kBindings,
          .channel_binding_offered = true,
          .scram_iterations = 4096};
}

Stored stored_for(Mechanism mechanism, const std::string& password) {
  if (info(mechanism).needs == Needs::PlainPassword) {
    std::vector<Secret> passwords;
    passwords.emplace_back(password);
    return passwords;
  }
  auto keys = derive_scram_keys(info(mechanism).hash, Secret(password), "salt", 4096);
  return ScramCredentials{"salt", 4096, {*keys}};
}

/// What came of it: "ok", or who refused and why.
std::string log_in(Mechanism mechanism, const Login& login) {
  crypto::SeededRandom random(1);
  auto master = crypto::MasterKey::generate(random);
  auto server = make_server(mechanism, server_settings(), master);
  auto client = make_client(mechanism, {.authcid = login.authcid,
                                        .password = Secret(login.password),
                                        .authzid = login.authzid,
                                        .nonce = "client-nonce",
                                        .bindings = login.client_bindings,
                                        .channel_binding_offered = login.client_was_told});
  if (!client) return "client: " + client.error().text;
  std::optional<std::string> initial;
  if (login.initial_response) initial = (*client)->initial();
  auto step = server->start(initial);
  bool client_first = (*client)->initial().has_value();
  bool sent_first = initial.has_value();
  for (;;) {
    if (auto failure = std::get_if<Failure>(&step)) return "server: " + failure->text;
    if (auto success = std::get_if<Success>(&step)) {
      auto proven = (*client)->finish();
      if (!proven) return "client: " + proven.error().text;
      CHECK(success->authcid == "tim@alpha.test");
      CHECK(success->binding.has_value() == info(mechanism).channel_bound);
      if (success->binding) CHECK(*success->binding == BindingType::TlsExporter);
      return "ok";
    }
    if (auto check = std::get_if<CheckPassword>(&step)) {
      CHECK(check->authcid == "tim@alpha.test");
      return prepare_password(check->password).reveal() == login.stored ? "ok"
                                                                        : "server: wrong password";
    }
    if (auto need = std::get_if<NeedCredentials>(&step)) {
      CHECK(need->needs == info(mechanism).needs);
      step = need->authcid == "tim@alpha.test" ? server->known(stored_for(mechanism, login.stored))
                                               : server->unknown(need->authcid);
      continue;
    }
    auto challenge = std::get<Challenge>(step).bytes;
    if (client_first && !sent_first) {
      sent_first = true;
      step = server->respond(*(*client)->initial());
      continue;
    }
    auto answer = (*client)->respond(challenge);
    if (!answer) return "client: " + answer.error().text;
    step = server->respond(*answer);
  }
}

TEST_CASE("every mechanism logs in, with and without an initial response") {
  for (const auto& mechanism : mechanisms()) {
    CAPTURE(mechanism.name);
    Login login;
    // CRAM-MD5 and LOGIN have no prepared form.
    if (mechanism.mechanism == Mechanism::CramMd5) login.password = login.stored;
    if (mechanism.channel_bound) login.client_bindings = kBindings;
    CHECK(log_in(mechanism.mechanism, login) == "ok");
    login.initial_response = false;
    CHECK(log_in(mechanism.mechanism, login) == "ok");
  }
}

TEST_CASE("wrong passwords and unknown names are refused alike") {
  for (const auto& mechanism : mechanisms()) {
    CAPTURE(mechanism.name);
    Login wrong;
    if (mechanism.channel_bound) wrong.client_bindings = kBindings;
    wrong.password = "guess";
    auto refused = log_in(mechanism.mechanism, wrong);
    CHECK(refused.starts_with("server: wrong password"));
    if (mechanism.needs == Needs::AnyHash) continue;  // the driver's part
    Login nobody = std::move(wrong);
    nobody.authcid = "nobody@alpha.test";
    CHECK(log_in(mechanism.mechanism, nobody) == refused);
  }
}

TEST_CASE("an authorization identity must be one's own") {
  for (auto mechanism : {Mechanism::Plain, Mechanism::ScramSha1, Mechanism::ScramSha256}) {
    Login login;
    login.authzid = "tim@alpha.test";
    CHECK(log_in(mechanism, login) == "ok");
    login.authzid = "a,=b@alpha.test";
    CHECK(log_in(mechanism, login) == "server: asked to act as somebody else");
  }
  Login login;
  login.authzid = "tim@alpha.test";
  CHECK(log_in(Mechanism::CramMd5, login).starts_with("client: CRAM-MD5 cannot"));
}

TEST_CASE("whoever takes -PLUS out of the list is found out") {
  Login login;
  login.client_bindings = kBindings;
  login.client_was_told = false;
  CHECK(log_in(Mechanism::ScramSha256, login) ==
        "server: the client was told that no channel binding is offered, but it is");
  login.client_was_told = true;  // it knows, and chose not to bind
  CHECK(log_in(Mechanism::ScramSha256, login) == "ok");
}

TEST_CASE("a TLS connection that ends in between is found out") {
  Login login;
  login.client_bindings = {{BindingType::TlsExporter, "another connection's"}};
  CHECK(log_in(Mechanism::ScramSha256Plus, login) == "server: the channel bindings do not match");
  login.client_bindings = {{BindingType::TlsUnique, "x"}};
  CHECK(log_in(Mechanism::ScramSha256Plus, login).starts_with("server: channel binding of a type"));
  login.client_bindings = {};
  CHECK(log_in(Mechanism::ScramSha256Plus, login).starts_with("client: SCRAM-SHA-256-PLUS needs"));
}

std::unique_ptr<Client> scram_client() {
  auto client = make_client(
      Mechanism::ScramSha256,
      {.authcid = "user", .password = Secret("pencil"), .nonce = "rOprNGfwEbeRWgbNEkqO"});
  REQUIRE(client);
  return *std::move(client);
}
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

TEST_CASE("the SCRAM client speaks as RFC 7677 shows") {
  auto client = scram_client();
  CHECK(client->initial() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  CHECK(client->respond(kServerFirst).value() ==
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  CHECK(!client->finish());  // nothing proven yet
  CHECK(client->respond("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").value().empty());
  CHECK(client->finish());
  CHECK(!client->respond(""));
}

TEST_CASE("the SCRAM client trusts no server that does not know the password") {
  struct Row {
    std::string_view first;
    std::string_view final;
  };
  const Row rows[] = {
      {"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ""},                  // not our nonce
      {"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ""},   // nothing added
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", ""},  // too few rounds
      {"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001", ""},
      {"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ""},
      {"", ""},
      {kServerFirst, ""},
      {kServerFirst, "e=other-error"},
      {kServerFirst, "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
      {kServerFirst, "v=AAAA"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CAPTURE(row.final);
    auto client = scram_client();
    auto answer = client->respond(row.first);
    if (answer) answer = client->respond(row.final);
    CHECK(!answer);
    CHECK(client->finish().error().code == ErrorCode::Denied);
    CHECK(!client->respond("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
  }
}

TEST_CASE("a client does not begin what cannot end well") {
  auto begins = [](Mechanism mechanism, std::string_view name, std::string_view password) {
    return make_client(mechanism,
                       {.authcid = std::string(name), .password = Secret(password), .nonce = "n"})
        .has_value();
  };
  CHECK(begins(Mechanism::Plain, "tim", "caf\xE9"));
  CHECK(!begins(Mechanism::Plain, "", "x"));
  CHECK(!begins(Mechanism::Plain, "tim", std::string_view("a\0b", 3)));
  CHECK(!begins(Mechanism::ScramSha1, "tim", "caf\xE9"));
  CHECK(!begins(Mechanism::ScramSha1, "t\tim", "x"));
}

TEST_CASE("lists are read, ordered, and cut to what a connection allows") {
  auto list = parse_mechanisms("login, PLAIN scram-sha-256  SCRAM-SHA-256-PLUS,cram-md5 PLAIN");
  REQUIRE(list);
  using enum Mechanism;
  CHECK(*list == std::vector{ScramSha256Plus, ScramSha256, Plain, Login, CramMd5});
  CHECK(parse_mechanisms("").value().empty());
  CHECK(parse_mechanisms("PLAIN DIGEST-MD5").error().text ==
        "there is no login mechanism \"DIGEST-MD5\"");
  CHECK(usable(*list, {}) == std::vector{ScramSha256, CramMd5});
  CHECK(usable(*list, {.private_channel = true}) ==
        std::vector{ScramSha256, Plain, Login, CramMd5});
  CHECK(usable(*list, {.private_channel = true, .has_bindings = true}) == *list);
}

TEST_CASE("a client chooses the strongest that the connection allows") {
  const std::vector<std::string> offered = {"PLAIN", "XOAUTH2", "cram-md5", "SCRAM-SHA-1",
                                            "SCRAM-SHA-1-PLUS"};
  CHECK(choose(offered, {.private_channel = true, .has_bindings = true}) ==
        Mechanism::ScramSha1Plus);
  CHECK(choose(offered, {}) == Mechanism::ScramSha1);
  const std::vector<std::string> old = {"LOGIN", "PLAIN"};
  CHECK(choose(old, {.private_channel = true}) == Mechanism::Plain);
  CHECK(!choose(old, {}));  // never a password in clear
  CHECK(!choose({}, {.private_channel = true}));
}

TEST_CASE("every mechanism is found by its name") {
  for (const auto& mechanism : mechanisms()) {
    CHECK(find_mechanism(mechanism.name) == mechanism.mechanism);
    CHECK(info(mechanism.mechanism).name == mechanism.name);
  }
  CHECK(!find_mechanism("SCRAM-SHA-256-PLUSS"));
}

TEST_CASE("lines of an exchange") {
  using Kind = Response::Kind;
  CHECK(decode_response("dGlt").bytes == "tim");
  CHECK(decode_response("").kind == Kind::Bytes);
  CHECK(decode_response("*").kind == Kind::Cancelled);
  CHECK(decode_response("=").kind == Kind::Malformed);
  CHECK(decode_response("dGl").kind == Kind::Malformed);
  CHECK(decode_response("dGlt ").kind == Kind::Malformed);
  CHECK(decode_response(std::string(12'292, 'A')).kind == Kind::Malformed);
  CHECK(decode_response(std::string(12'288, 'A')).kind == Kind::Bytes);
  CHECK(decode_initial_response("=").kind == Kind::Bytes);
  CHECK(decode_initial_response("=").bytes.empty());
  CHECK(decode_initial_response("dGlt").bytes == "tim");
  CHECK(decode_initial_response("*").kind == Kind::Malformed);
  CHECK(decode_initial_response("").kind == Kind::Malformed);
}

TEST_CASE("the salt and the hash decide the keys, and some passwords have none") {
  auto keys = [](crypto::Hash hash, std::string_view password, std::string_view salt) {
    return derive_scram_keys(hash, Secret(password), salt, 10);
  };
  auto one = keys(crypto::Hash::Sha256, "pencil", "salt");
  REQUIRE(one);
  CHECK(*one == *keys(crypto::Hash::Sha256, "pencil", "salt"));
  CHECK(*one == *keys(crypto::Hash::Sha256, "pen\u00ADcil", "salt"));
  CHECK(!(*one == *keys(crypto::Hash::Sha256, "pencil", "sale")));
  CHECK(one->stored_key.size() == 32);
  CHECK(keys(crypto::Hash::Sha1, "pencil", "salt")->stored_key.size() == 20);
  CHECK(keys(crypto::Hash::Sha256, "caf\xE9", "salt").error().code == ErrorCode::Invalid);
  CHECK(keys(crypto::Hash::Sha256, "", "salt").error().code == ErrorCode::Invalid);
}

}  // namespace
}  // namespace hikyaku::sasl
