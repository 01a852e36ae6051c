#include "sasl/scram_message.h"

#include <doctest/doctest.h>

namespace hikyaku::sasl {
namespace {

using namespace std::string_view_literals;

TEST_CASE("first messages of clients") {
  auto plain = parse_client_first("n,,n=user,r=fyko");
  REQUIRE(plain);
  CHECK(plain->flag == Gs2Flag::None);
  CHECK(plain->authzid.empty());
  CHECK(plain->authcid == "user");
  CHECK(plain->nonce == "fyko");
  CHECK(plain->gs2_header == "n,,");
  CHECK(plain->bare == "n=user,r=fyko");

  auto bound = parse_client_first("p=tls-server-end-point,a=bo=2Cb,n=al=3Dice,r=x~!,x=y=z");
  REQUIRE(bound);
  CHECK(bound->flag == Gs2Flag::Required);
  CHECK(bound->binding_name == "tls-server-end-point");
  CHECK(bound->authzid == "bo,b");
  CHECK(bound->authcid == "al=ice");
  CHECK(bound->gs2_header == "p=tls-server-end-point,a=bo=2Cb,");

  CHECK(parse_client_first("y,,n=user,r=fyko")->flag == Gs2Flag::ServerLacksIt);
  CHECK(parse_client_first("n,,m=x,n=user,r=fyko").error().code == ErrorCode::Unsupported);
}

TEST_CASE("malformed first messages of clients") {
  const std::string_view rows[] = {
      "",
      "n",
      "n,",
      "n,,",
      "n,,n=user",
      "n,,n=user,",
      "n,,n=user,r=",
      "n,,n=,r=x",
      "n,,r=x,n=user",          // wrong order
      "n,,n=user,r=a b",        // space in a nonce
      "n,,n=user,r=\u00E9",     // nonces are ASCII
      "n,,n=us=er,r=x",         // = must be written =3D
      "n,,n=us=2cer,r=x",       // with capital letters
      "n,,n=user,r=x,",         // empty extension
      "n,,n=user,r=x,9=y",      // not a letter
      "n,,n=user,r=x,yy",       //
      "n,a=,n=user,r=x",        // empty authzid
      "n,b=x,n=user,r=x",       //
      "N,,n=user,r=x",          //
      "p,,n=user,r=x",          //
      "p=,,n=user,r=x",         //
      "p=tls unique,,n=u,r=x",  //
      "F,n,,n=user,r=x",        // GSS-API flag
      "n,,n=us\0er,r=x"sv,      //
      "n,,n=us\xFF,r=x",        // not UTF-8
  };
  for (auto message : rows) {
    CAPTURE(message);
    auto result = parse_client_first(message);
    REQUIRE(!result);
    CHECK(result.error().code == ErrorCode::Invalid);
  }
  CHECK(!parse_client_first("n,,n=user,r=" + std::string(kMaxNonce + 1, 'x')));
}

TEST_CASE("final messages of clients") {
  auto good = parse_client_final("c=biws,r=abc,x=y,p=AAEC");
  REQUIRE(good);
  CHECK(good->binding == "n,,");
  CHECK(good->nonce == "abc");
  CHECK(good->proof == "\0\1\2"sv);
  CHECK(good->without_proof == "c=biws,r=abc,x=y");
  const std::string_view rows[] = {
      "",
      "c=biws",
      "c=biws,r=abc",
      "c=biws,r=abc,p=",
      "p=AAEC",
      "r=abc,c=biws,p=A",
      "c=b,r=abc,p=AAEC",
      "c=biws,r=abc,p=AAE",
      ",p=AAEC",
      "c=biws,r=abc,p=AAEC,x=y",  // the proof is last
      "c=biws,r=abc,,p=AAEC",
  };
  for (auto message : rows) {
    CAPTURE(message);
    CHECK(!parse_client_final(message));
  }
}

TEST_CASE("messages of servers") {
  auto first = parse_server_first("r=abc,s=AAEC,i=4096,x=y");
  REQUIRE(first);
  CHECK(first->nonce == "abc");
  CHECK(first->salt == "\0\1\2"sv);
  CHECK(first->iterations == 4096);
  CHECK(parse_server_first("m=x,r=abc,s=AAEC,i=4096").error().code == ErrorCode::Unsupported);
  for (auto message :
       {"", "r=abc", "r=abc,s=AAEC", "r=abc,s=A,i=1", "r=abc,s=AAEC,i=0", "r=abc,s=AAEC,i=01",
        "r=abc,s=AAEC,i=-1", "r=abc,s=AAEC,i=4294967296", "r=abc,s=AAEC,i=x", "s=AAEC,r=abc,i=1"}) {
    CAPTURE(message);
    CHECK(!parse_server_first(message));
  }
  CHECK(parse_server_final("v=AAEC")->verifier == "\0\1\2"sv);
  CHECK(parse_server_final("e=invalid-proof")->error == "invalid-proof");
  for (auto message : {"", "v=", "v=A", "e=", "x=y", "v=AAEC,", "V=AAEC"}) {
    CAPTURE(message);
    CHECK(!parse_server_final(message));
  }
}

TEST_CASE("names are written so that they are read back") {
  CHECK(encode_saslname("a=b,c") == "a=3Db=2Cc");
  CHECK(parse_client_first("n,,n=" + encode_saslname("=2C,=") + ",r=x")->authcid == "=2C,=");
}

}  // namespace
}  // namespace hikyaku::sasl
