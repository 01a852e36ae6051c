#include "sasl/server.h"

#include <doctest/doctest.h>

#include "base/base64.h"
#include "crypto/random.h"
#include "sasl/apop.h"
#include "sasl/scram_message.h"

namespace hikyaku::sasl {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using crypto::Secret;

const crypto::MasterKey& master() {
  static const auto key = [] {
    crypto::SeededRandom random(1);
    return crypto::MasterKey::generate(random);
  }();
  return key;
}

std::unique_ptr<Server> server(Mechanism mechanism, const ServerSettings& settings) {
  return make_server(mechanism, settings, master());
}

ServerSettings settings() {
  return {.nonce = "nonce", .host = "mail.alpha.test"};
}

std::string challenge(const Step& step) {
  REQUIRE(std::holds_alternative<Challenge>(step));
  return std::get<Challenge>(step).bytes;
}

FailureReason reason(const Step& step) {
  REQUIRE(std::holds_alternative<Failure>(step));
  return std::get<Failure>(step).reason;
}

ScramCredentials scram(crypto::Hash hash, std::string_view password, std::string_view salt) {
  return {*base64_decode(salt),
          4096,
          {*derive_scram_keys(hash, Secret(password), *base64_decode(salt), 4096)}};
}

TEST_CASE("PLAIN hands over name and password, as RFC 4616 shows") {
  for (bool initial : {true, false}) {
    auto exchange = server(Mechanism::Plain, settings());
    auto message = "\0tim\0tanstaaftanstaaf"sv;  // RFC 4616 §4
    Step step = initial ? exchange->start(message) : exchange->start(std::nullopt);
    if (!initial) {
      CHECK(challenge(step).empty());
      step = exchange->respond(message);
    }
    REQUIRE(std::holds_alternative<CheckPassword>(step));
    CHECK(std::get<CheckPassword>(step).authcid == "tim");
    CHECK(std::get<CheckPassword>(step).password.reveal() == "tanstaaftanstaaf");
  }
}

TEST_CASE("PLAIN with good and bad contents") {
  struct Row {
    std::string_view message;
    std::optional<FailureReason> failure;
  };
  const std::string long_name = '\0' + std::string(513, 'x') + "\0p"s;
  const std::string long_password = "\0x\0"s + std::string(1025, 'x');
  const std::string long_message(9000, 'x');
  const Row rows[] = {
      {"tim\0tim\0pass"sv, std::nullopt},
      {"TIM\0tim\0pass"sv, std::nullopt},  // another spelling of oneself
      {"\0tim\0p\xE9"sv, std::nullopt},    // Latin-1 password: the account decides
      {"\0\u2168\0pass"sv, std::nullopt},  // prepared to IX
      {"kurt\0tim\0pass"sv, FailureReason::NotAuthorized},
      {""sv, FailureReason::Malformed},
      {"tim"sv, FailureReason::Malformed},
      {"tim\0pass"sv, FailureReason::Malformed},
      {"\0tim\0pass\0"sv, FailureReason::Malformed},
      {"\0tim\0"sv, FailureReason::Rejected},
      {"\0\0pass"sv, FailureReason::Rejected},
      {"\0t\nim\0pass"sv, FailureReason::Rejected},
      {"\0t\xFFim\0pass"sv, FailureReason::Rejected},
      {long_name, FailureReason::Malformed},
      {long_password, FailureReason::Malformed},
      {long_message, FailureReason::Malformed},
  };
  for (const auto& row : rows) {
    CAPTURE(row.message);
    auto step = server(Mechanism::Plain, settings())->start(row.message);
    if (row.failure)
      CHECK(reason(step) == *row.failure);
    else
      CHECK(std::holds_alternative<CheckPassword>(step));
  }
}

TEST_CASE("LOGIN asks twice, and takes the name unasked") {
  for (bool initial : {true, false}) {
    auto exchange = server(Mechanism::Login, settings());
    Step step = initial ? exchange->start("tim") : exchange->start(std::nullopt);
    if (!initial) {
      CHECK(base64_encode(challenge(step)) == "VXNlcm5hbWU6");
      step = exchange->respond("tim");
    }
    CHECK(base64_encode(challenge(step)) == "UGFzc3dvcmQ6");
    step = exchange->respond("pass");
    REQUIRE(std::holds_alternative<CheckPassword>(step));
    CHECK(std::get<CheckPassword>(step).authcid == "tim");
    CHECK(std::get<CheckPassword>(step).password.reveal() == "pass");
  }
  auto exchange = server(Mechanism::Login, settings());
  CHECK(reason(exchange->start(std::string(513, 'x'))) == FailureReason::Malformed);
}

TEST_CASE("CRAM-MD5 as RFC 2195 shows") {
  ServerSettings rfc{.nonce = "1896.697170952", .host = "postoffice.reston.mci.net"};
  auto exchange = server(Mechanism::CramMd5, rfc);
  CHECK(challenge(exchange->start(std::nullopt)) == "<1896.697170952@postoffice.reston.mci.net>");
  auto step = exchange->respond("tim b913a602c7eda7a495b4e6e7334d3890");
  REQUIRE(std::holds_alternative<NeedCredentials>(step));
  CHECK(std::get<NeedCredentials>(step).authcid == "tim");
  CHECK(std::get<NeedCredentials>(step).needs == Needs::PlainPassword);
  std::vector<Secret> passwords;
  passwords.emplace_back("of another app");
  passwords.emplace_back("tanstaaftanstaaf");
  step = exchange->known(std::move(passwords));
  REQUIRE(std::holds_alternative<Success>(step));
  CHECK(std::get<Success>(step).authcid == "tim");
  CHECK(std::get<Success>(step).password == 1);
}

TEST_CASE("CRAM-MD5 refuses") {
  auto after = [](std::string_view message) {
    auto exchange = server(Mechanism::CramMd5, settings());
    (void)exchange->start(std::nullopt);
    return exchange->respond(message);
  };
  for (auto message : {"", "tim", "tim ", "tim b913a602c7eda7a495b4e6e7334d389",
                       "tim b913a602c7eda7a495b4e6e7334d389x"})
    CHECK(reason(after(message)) == FailureReason::Malformed);
  CHECK(reason(after(" b913a602c7eda7a495b4e6e7334d3890")) == FailureReason::Rejected);
  CHECK(reason(server(Mechanism::CramMd5, settings())->start("x")) == FailureReason::Malformed);

  for (bool exists : {true, false}) {
    auto exchange = server(Mechanism::CramMd5, settings());
    (void)exchange->start(std::nullopt);
    (void)exchange->respond("tim b913a602c7eda7a495b4e6e7334d3890");
    std::vector<Secret> passwords;
    passwords.emplace_back("other");
    CHECK(reason(exists ? exchange->known(std::move(passwords)) : exchange->unknown("tim")) ==
          FailureReason::Rejected);
  }
}

TEST_CASE("a CRAM-MD5 name may contain spaces") {
  auto exchange = server(Mechanism::CramMd5, settings());
  (void)exchange->start(std::nullopt);
  auto step = exchange->respond("tim o'b b913a602c7eda7a495b4e6e7334d3890");
  REQUIRE(std::holds_alternative<NeedCredentials>(step));
  CHECK(std::get<NeedCredentials>(step).authcid == "tim o'b");
}

struct ScramExample {
  Mechanism mechanism;
  crypto::Hash hash;
  std::string_view nonce, first, server_first, final, server_final, salt;
};
const ScramExample kExamples[] = {
    {Mechanism::ScramSha1, crypto::Hash::Sha1,  // RFC 5802 §5
     "3rfcNHYJY1ZVvWVs7j", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "QSXCR+Q6sek8bf92"},
    {Mechanism::ScramSha256, crypto::Hash::Sha256,  // RFC 7677 §3
     "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "W22ZaJ0SNY7soEsUEjb6gQ=="},
};

TEST_CASE("SCRAM as RFC 5802 and RFC 7677 show") {
  for (const auto& example : kExamples) {
    CAPTURE(example.first);
    auto exchange = server(example.mechanism, {.nonce = std::string(example.nonce)});
    auto step = exchange->start(example.first);
    REQUIRE(std::holds_alternative<NeedCredentials>(step));
    CHECK(std::get<NeedCredentials>(step).authcid == "user");
    step = exchange->known(scram(example.hash, "pencil", example.salt));
    CHECK(challenge(step) == example.server_first);
    CHECK(challenge(exchange->respond(example.final)) == example.server_final);
    step = exchange->respond("");
    REQUIRE(std::holds_alternative<Success>(step));
    CHECK(std::get<Success>(step).authcid == "user");
    CHECK(!std::get<Success>(step).binding);
  }
}

TEST_CASE("SCRAM tells which of several passwords it was") {
  const auto& example = kExamples[1];
  auto exchange = server(example.mechanism, {.nonce = std::string(example.nonce)});
  (void)exchange->start(example.first);
  auto credentials = scram(example.hash, "another", example.salt);
  credentials.keys.push_back(scram(example.hash, "pencil", example.salt).keys.front());
  (void)exchange->known(credentials);
  CHECK(challenge(exchange->respond(example.final)) == example.server_final);
  CHECK(std::get<Success>(exchange->respond("")).password == 1);
}

TEST_CASE("SCRAM refuses what is not the right final message") {
  constexpr std::string_view kNonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  constexpr std::string_view kProof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  const auto final = [](std::string_view binding, std::string_view nonce, std::string_view proof) {
    return fmt::format("c={},r={},p={}", binding, nonce, proof);
  };
  const std::pair<std::string, FailureReason> rows[] = {
      {final("biws", kNonce, "eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
       FailureReason::Rejected},
      {final("biws", kNonce, "AAAA"), FailureReason::Rejected},        // too short a proof
      {final("eSws", kNonce, kProof), FailureReason::ChannelBinding},  // "y,," now, "n,," before
      {final("biwsAA==", kNonce, kProof), FailureReason::ChannelBinding},
      {final("biws", "rOprNGfwEbeRWgbNEkqO", kProof), FailureReason::Malformed},
      {"", FailureReason::Malformed},
  };
  for (const auto& [message, failure] : rows) {
    CAPTURE(message);
    const auto& example = kExamples[1];
    auto exchange = server(example.mechanism, {.nonce = std::string(example.nonce)});
    (void)exchange->start(example.first);
    (void)exchange->known(scram(example.hash, "pencil", example.salt));
    CHECK(reason(exchange->respond(message)) == failure);
  }
}

TEST_CASE("names that do not exist look like others") {
  auto first_for = [](std::string_view name, std::string_view nonce, Mechanism mechanism) {
    auto exchange = server(mechanism, {.nonce = std::string(nonce)});
    (void)exchange->start("n,,n=" + std::string(name) + ",r=client");
    return *parse_server_first(challenge(exchange->unknown(name)));
  };
  auto one = first_for("nobody", "n1", Mechanism::ScramSha256);
  CHECK(one.salt.size() == kScramSaltBytes);
  CHECK(one.iterations == kScramIterations);
  CHECK(one.salt == first_for("nobody", "n2", Mechanism::ScramSha256).salt);  // always the same
  CHECK(one.salt != first_for("somebody", "n1", Mechanism::ScramSha256).salt);
  CHECK(one.salt != first_for("nobody", "n1", Mechanism::ScramSha1).salt);

  auto exchange = server(Mechanism::ScramSha256, settings());
  (void)exchange->start("n,,n=nobody,r=client");
  (void)exchange->unknown("nobody");
  auto step =
      exchange->respond("c=biws,r=clientnonce,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  CHECK(reason(step) == FailureReason::Rejected);
  CHECK(std::get<Failure>(step).text == "wrong password or unknown user");
}

TEST_CASE("channel bindings must agree with what was offered") {
  struct Row {
    Mechanism mechanism;
    std::string_view first;
    bool offered;
    std::optional<FailureReason> failure;
  };
  const Row rows[] = {
      {Mechanism::ScramSha256, "n,,n=user,r=x", true, std::nullopt},
      {Mechanism::ScramSha256, "y,,n=user,r=x", false, std::nullopt},
      // Somebody took -PLUS out of the list on its way.
      {Mechanism::ScramSha256, "y,,n=user,r=x", true, FailureReason::ChannelBinding},
      {Mechanism::ScramSha256, "p=tls-exporter,,n=user,r=x", true, FailureReason::Malformed},
      {Mechanism::ScramSha256Plus, "n,,n=user,r=x", true, FailureReason::Malformed},
      {Mechanism::ScramSha256Plus, "y,,n=user,r=x", true, FailureReason::Malformed},
      {Mechanism::ScramSha256Plus, "p=tls-exporter,,n=user,r=x", true, std::nullopt},
      {Mechanism::ScramSha256Plus, "p=tls-server-end-point,,n=user,r=x", true, std::nullopt},
      {Mechanism::ScramSha256Plus, "p=tls-unique,,n=user,r=x", true,
       FailureReason::ChannelBinding},  // TLS 1.3 has none
      {Mechanism::ScramSha256Plus, "p=tls-magic,,n=user,r=x", true, FailureReason::ChannelBinding},
      {Mechanism::ScramSha1Plus, "p=tls-exporter,a=other,n=user,r=x", true,
       FailureReason::NotAuthorized},
      {Mechanism::ScramSha1Plus, "p=tls-exporter,a=User,n=user,r=x", true, std::nullopt},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    CAPTURE(to_string(row.mechanism));
    ServerSettings tls{.nonce = "n",
                       .bindings = {{BindingType::TlsExporter, "exporter"},
                                    {BindingType::TlsServerEndPoint, "end point"}},
                       .channel_binding_offered = row.offered};
    auto step = server(row.mechanism, tls)->start(row.first);
    if (row.failure)
      CHECK(reason(step) == *row.failure);
    else
      CHECK(std::holds_alternative<NeedCredentials>(step));
  }
}

TEST_CASE("nothing out of order logs anybody in") {
  const auto& example = kExamples[1];
  auto stored = [&] { return scram(example.hash, "pencil", example.salt); };
  auto begun = [&] {
    auto exchange = server(example.mechanism, {.nonce = std::string(example.nonce)});
    (void)exchange->start(example.first);
    return exchange;
  };
  CHECK(reason(server(example.mechanism, {})->respond(example.first)) == FailureReason::Malformed);
  CHECK(reason(server(example.mechanism, {})->known(stored())) == FailureReason::Malformed);
  CHECK(reason(begun()->respond(example.final)) == FailureReason::Malformed);
  CHECK(reason(begun()->start(example.first)) == FailureReason::Malformed);
  auto over = begun();
  (void)over->known(stored());
  (void)over->respond(example.final);
  CHECK(std::holds_alternative<Success>(over->respond("")));
  CHECK(reason(over->respond("")) == FailureReason::Malformed);
  CHECK(reason(over->unknown("user")) == FailureReason::Malformed);
}

TEST_CASE("APOP as RFC 1939 shows") {
  CHECK(make_timestamp("1896.697170952", "dbc.mtview.ca.us") ==
        "<1896.697170952@dbc.mtview.ca.us>");
  std::vector<Secret> passwords;
  passwords.emplace_back("other");
  passwords.emplace_back("tanstaaf");
  constexpr std::string_view kTimestamp = "<1896.697170952@dbc.mtview.ca.us>";
  CHECK(apop_digest(kTimestamp, passwords[1]) == "c4c9334bac560ecc979e58001b3e22fb");
  CHECK(check_apop(kTimestamp, "c4c9334bac560ecc979e58001b3e22fb", passwords) == 1);
  CHECK(check_apop(kTimestamp, "C4C9334BAC560ECC979E58001B3E22FB", passwords) == 1);
  CHECK(!check_apop(kTimestamp, "c4c9334bac560ecc979e58001b3e22fc", passwords));
  CHECK(!check_apop(kTimestamp, "", passwords));
  CHECK(!check_apop(kTimestamp, "c4c9334bac560ecc979e58001b3e22fb", {}));
}

}  // namespace
}  // namespace hikyaku::sasl
