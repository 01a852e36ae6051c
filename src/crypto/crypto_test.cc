// Digests, keyed digests, random numbers and secrets.
#include <doctest/doctest.h>
#include <set>
#include <type_traits>

#include "base/text.h"
#include "crypto/constant_time.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"
#include "crypto/pbkdf2.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "testing/every_split.h"

namespace hikyaku::crypto {
namespace {

TEST_CASE("digests give the published values, whole and in pieces") {
  struct Row {
    Hash hash;
    std::string_view text;
    std::string_view hex;
  };
  const Row rows[] = {
      {Hash::Md5, "", "d41d8cd98f00b204e9800998ecf8427e"},     // RFC 1321 A.5
      {Hash::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"},  // RFC 1321 A.5
      {Hash::Sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {Hash::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},  // FIPS 180
      {Hash::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {Hash::Sha512, "abc",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.hex);
    CHECK(to_hex(digest(row.hash, row.text)) == row.hex);
    testing::every_split(row.text, [&](std::string_view first, std::string_view second) {
      Digest pieces(row.hash);
      pieces.update(first);
      pieces.update(second);
      CHECK(to_hex(pieces.finish()) == row.hex);
    });
  }
}

TEST_CASE("keyed digests give the published values") {
  CHECK(to_hex(hmac(Hash::Md5, "Jefe", "what do ya want for nothing?")) ==
        "750c783e6ab0b503eaa86e310a5db738");  // RFC 2202 §2
  CHECK(to_hex(hmac(Hash::Sha1, "Jefe", "what do ya want for nothing?")) ==
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");  // RFC 2202 §3
  CHECK(to_hex(hmac(Hash::Sha256, "Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");  // RFC 4231 §4.3
  CHECK(to_hex(hmac(Hash::Sha256, std::string(131, '\xaa'),
                    "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");  // RFC 4231 §4.7
  CHECK(to_hex(hmac(Hash::Sha256, "", "")) ==
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("PBKDF2 gives the published values") {
  CHECK(to_hex(pbkdf2(Hash::Sha1, "password", "salt", 2, 20).reveal()) ==
        "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");  // RFC 6070
  CHECK(to_hex(pbkdf2(Hash::Sha1, "password", "salt", 4096, 20).reveal()) ==
        "4b007901b765489abead49d926f721d065a429c1");  // RFC 6070
  CHECK(to_hex(pbkdf2(Hash::Sha256, "passwd", "salt", 1, 64).reveal()) ==
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");  // RFC 7914 §11
}

TEST_CASE("seeded randomness repeats, system randomness does not") {
  SeededRandom a(1), b(1), c(2);
  auto first = a.bytes(40);
  CHECK(first == b.bytes(40));
  CHECK(first != c.bytes(40));
  CHECK(first != a.bytes(40));
  SystemRandom system;
  CHECK(system.bytes(16) != system.bytes(16));
  CHECK(system.bytes(0).empty());
}

TEST_CASE("numbers below a limit reach every value and no other") {
  SeededRandom random(7);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 500; ++i) seen.insert(random.below(6));
  CHECK(seen == std::set<std::uint32_t>{0, 1, 2, 3, 4, 5});
  CHECK(random.below(1) == 0);
  auto token = random.token(200);
  CHECK(token.size() == 200);
  for (char c : token) CHECK(is_ascii_alnum(c));
}

TEST_CASE("a secret moves, wipes what it was taken from, and compares by contents") {
  static_assert(!std::is_copy_constructible_v<Secret>);
  std::string text = "correct horse battery staple";
  auto secret = Secret::take(std::move(text));
  CHECK(text.empty());
  CHECK(secret.reveal() == "correct horse battery staple");
  CHECK((secret == Secret("correct horse battery staple")));
  CHECK(!(secret == Secret("correct horse battery stapl")));
  auto copy = secret.copy();
  auto moved = std::move(secret);
  CHECK(secret.empty());
  CHECK((moved == copy));
  moved = Secret();
  CHECK(moved.empty());
  CHECK((moved == Secret("")));
}

TEST_CASE("constant-time comparison compares") {
  CHECK(constant_time_equal("", ""));
  CHECK(constant_time_equal("abc", "abc"));
  CHECK(!constant_time_equal("abc", "abd"));
  CHECK(!constant_time_equal("abc", "abcd"));
  CHECK(!constant_time_equal(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

}  // namespace
}  // namespace hikyaku::crypto
