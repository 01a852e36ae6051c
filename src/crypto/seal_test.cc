// The master key and what is made with it.
#include "crypto/seal.h"

#include <doctest/doctest.h>

#include "crypto/keyed_hash.h"
#include "crypto/master_key.h"

namespace hikyaku::crypto {
namespace {

MasterKey key(std::uint64_t seed) {
  SeededRandom random(seed);
  return MasterKey::generate(random);
}

TEST_CASE("a sealed secret opens with its key and context only") {
  SeededRandom random(9);
  for (std::string_view plain : {"", "x", "tanstaaftanstaaf"}) {
    auto sealed = seal(key(1), "account 17", plain, random);
    CHECK(sealed.size() == plain.size() + 41);
    auto opened = unseal(key(1), "account 17", sealed);
    REQUIRE(opened);
    CHECK(opened->reveal() == plain);
    CHECK(unseal(key(2), "account 17", sealed).error().code == ErrorCode::Corrupt);
    CHECK(unseal(key(1), "account 18", sealed).error().code == ErrorCode::Corrupt);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      auto changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      CHECK(!unseal(key(1), "account 17", changed));
      CHECK(!unseal(key(1), "account 17", std::string_view(sealed).substr(0, i)));
    }
    CHECK(sealed != seal(key(1), "account 17", plain, random));
  }
}

TEST_CASE("the file of the master key is read back, and only in that form") {
  auto master = key(3);
  auto file = master.text();
  CHECK(file.reveal().starts_with("# "));
  auto again = MasterKey::parse(file.reveal());
  REQUIRE(again);
  CHECK((again->derive("x") == master.derive("x")));
  CHECK(!(master.derive("x") == master.derive("y")));
  CHECK(!(master.derive("x") == key(4).derive("x")));
  auto digits = std::string(64, 'a');
  CHECK(MasterKey::parse(digits));
  CHECK(MasterKey::parse("\n" + digits + "\r\n\n"));
  for (const auto& bad : {std::string(), digits.substr(1), digits + "a", digits + "\n" + digits,
                          std::string(64, 'g'), std::string("# only a comment\n")})
    CHECK(MasterKey::parse(bad).error().code == ErrorCode::Invalid);
}

TEST_CASE("keyed hashes depend on key, purpose and bytes") {
  auto hash = keyed_hash(key(1), "app-password", "abcd");
  CHECK(hash.size() == 32);
  CHECK(hash == keyed_hash(key(1), "app-password", "abcd"));
  CHECK(hash != keyed_hash(key(2), "app-password", "abcd"));
  CHECK(hash != keyed_hash(key(1), "fake-salt", "abcd"));
  CHECK(hash != keyed_hash(key(1), "app-password", "abce"));
}

}  // namespace
}  // namespace hikyaku::crypto
