#include "crypto/password.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::crypto {
namespace {

constexpr Argon2Cost kCheap{64, 1};

TEST_CASE("a hash verifies its own password and no other") {
  SeededRandom random(1);
  auto stored = hash_password(Secret("correct horse"), random, kCheap);
  REQUIRE(stored);
  CHECK(stored->starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
  CHECK(verify_password(Secret("correct horse"), *stored).value());
  CHECK(!verify_password(Secret("correct hors"), *stored).value());
  CHECK(!verify_password(Secret(""), *stored).value());
  CHECK(*hash_password(Secret("correct horse"), random, kCheap) != *stored);  // another salt
  auto with_nul = hash_password(Secret(std::string_view("a\0b", 3)), random, kCheap);
  CHECK(!verify_password(Secret("a"), *with_nul).value());
}

TEST_CASE("the default cost is the one that is promised") {
  SeededRandom random(1);
  auto stored = hash_password(Secret("x"), random);
  REQUIRE(stored);
  CHECK(stored->starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(!wants_rehash(*stored));
  CHECK(verify_password(Secret("x"), *stored).value());
  spend_password_time(Secret("x"));
}

TEST_CASE("hashes of other systems verify") {
  const std::string_view rows[] = {
      "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq."
      "H91p5hVO1",
      "{SHA512-CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0"
      "Y77vwPZN.Pq.H91p5hVO1",
      "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2",
      "$1$saltsalt$9xy1btjgzLYfb7hivXtC//",
      "abNANd1rDfiNc",  // traditional DES
      "{CRYPT}abNANd1rDfiNc",
      "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
      "{BLF-CRYPT}$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
      "$y$j9T$saltsalt$VuCHcCYYVuebTL.IxzSml3z./71e36sys.wEb95cM54",
      "$y$j75$saltsalt$0gBD67sgmJgRX3RZ6wHHO7sHimQEWGCWN85o4Twogh2",
      "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
      "{ssha256}+E+iFJ27Yu1ODPH1UNKUmzOmUT06dwfghQJRHHnMsO5zYWx0",
      "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
      "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
  };
  for (auto stored : rows) {
    CAPTURE(stored);
    auto right = verify_password(Secret("secret"), stored);
    REQUIRE(right);
    CHECK(*right);
    auto wrong = verify_password(Secret("Secret"), stored);
    REQUIRE(wrong);
    CHECK(!*wrong);
    CHECK(!verify_password(Secret(std::string_view("secret\0x", 8)), stored).value());
    CHECK(wants_rehash(stored));
  }
}

TEST_CASE("Argon2id hashes of other programs verify, with one lane and with two") {
  CHECK(verify_password(Secret("password"),
                        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
                        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
            .value());
  CHECK(verify_password(Secret("password"),
                        "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$"
                        "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc")
            .value());
}

TEST_CASE("what is no hash, or too dear a one, is refused") {
  struct Row {
    std::string_view stored;
    ErrorCode code;
  };
  const Row rows[] = {
      {"", ErrorCode::Unsupported},
      {"secret", ErrorCode::Unsupported},
      {"*", ErrorCode::Unsupported},
      {"!", ErrorCode::Unsupported},
      {"{PLAIN}secret", ErrorCode::Unsupported},  // nobody's password is taken over in clear
      {"{NO}x", ErrorCode::Unsupported},
      {"{SSHA", ErrorCode::Invalid},
      {"{SSHA}gVK8", ErrorCode::Invalid},
      {"{SHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", ErrorCode::Invalid},  // a salt where none may be
      {"$7$C6..../....SodiumChloride$x", ErrorCode::Unsupported},
      {"$argon2id$", ErrorCode::Invalid},
      {"$argon2id$v=19$m=64,t=1$c29tc2FsdA$YWJj", ErrorCode::Invalid},
      {"$argon2id$v=19$m=1048576,t=1,p=1$c29tc2FsdA$YWJj", ErrorCode::TooLarge},
      {"$argon2id$v=19$m=64,t=4000000000,p=1$c29tc2FsdA$YWJj", ErrorCode::TooLarge},
      {"$6$rounds=999999999$saltsalt$x", ErrorCode::TooLarge},
      {"$6$rounds=x$saltsalt$x", ErrorCode::Invalid},
      {"$2b$31$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", ErrorCode::TooLarge},
      {"$2b$04$short", ErrorCode::Invalid},
      {"$y$jFT$saltsalt$x", ErrorCode::TooLarge},
      {"$y$", ErrorCode::Unsupported},
      {"$y$j9T/$saltsalt$x", ErrorCode::Unsupported},
      {"$1$salt:salt$9xy1btjgzLYfb7hivXtC//", ErrorCode::Invalid},
  };
  for (const auto& row : rows) {
    CAPTURE(row.stored);
    auto result = verify_password(Secret("secret"), row.stored);
    REQUIRE(!result);
    CHECK(result.error().code == row.code);
  }
}

TEST_CASE("cheaper hashes are replaced at the next login, dearer ones kept") {
  CHECK(wants_rehash("$argon2id$v=19$m=9216,t=2,p=1$c29tc2FsdA$YWJj"));
  CHECK(wants_rehash("$argon2id$v=19$m=19456,t=1,p=1$c29tc2FsdA$YWJj"));
  CHECK(wants_rehash("$argon2i$v=19$m=19456,t=2,p=1$c29tc2FsdA$YWJj"));
  CHECK(!wants_rehash("$argon2id$v=19$m=19456,t=2,p=1$c29tc2FsdA$YWJj"));
  CHECK(!wants_rehash("$argon2id$v=19$m=65536,t=3,p=1$c29tc2FsdA$YWJj"));
}

TEST_CASE("generated passwords are readable and differ") {
  SystemRandom random;
  auto password = generate_password(random);
  CHECK(password.size() == 34);
  for (char c : password.reveal()) CHECK((is_ascii_alnum(c) || c == '-'));
  CHECK(password.reveal().find_first_of("01loABC") == std::string_view::npos);
  CHECK(!(password == generate_password(random)));
}

}  // namespace
}  // namespace hikyaku::crypto
