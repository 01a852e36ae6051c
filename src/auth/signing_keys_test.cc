#include "auth/signing_keys.h"

#include <doctest/doctest.h>

#include "auth/directory.h"
#include "testing/world.h"

namespace hikyaku::auth {
namespace {

using testing::World;

constexpr milliseconds kKeep = std::chrono::days(12);

struct Fixture : World {
  template <class Function>
  Result<void> step(Function function) {
    return loop.run(
        store.transact({store::kInstance}, [&](store::Transaction& tx) { return function(tx); }));
  }
  Result<void> add(std::string selector, SigningState state,
                   SigningAlgorithm algorithm = SigningAlgorithm::Rsa,
                   std::string domain = "alpha.test") {
    SigningKey key;
    key.domain = std::move(domain);
    key.selector = std::move(selector);
    key.state = state;
    key.algorithm = algorithm;
    key.record = "v=DKIM1; p=x";
    key.created = loop.now();
    return step([&](auto& tx) { return add_signing_keys(tx, {key}, kKeep); });
  }
  SigningKey get(std::string_view selector) {
    return loop
        .run(store.read([&](store::Reader& reader) {
          return find_signing_key(reader, "alpha.test", selector);
        }))
        .value();
  }
  std::string signing(std::string_view author) {
    auto found =
        loop.run(store.read([&](store::Reader& reader) { return signing_domain(reader, author); }));
    auto text = found.domain + ":";
    for (auto& key : found.keys) text += " " + key.selector;
    return text;
  }
};

TEST_CASE("a key that begins to sign retires the other of its kind, and no other") {
  Fixture f;
  REQUIRE(f.add("rsa-1", SigningState::Active));
  REQUIRE(f.add("ed-1", SigningState::Active, SigningAlgorithm::Ed25519));
  REQUIRE(f.add("rsa-2", SigningState::Published));
  CHECK(f.signing("alpha.test") == "alpha.test: ed-1 rsa-1");
  CHECK(f.signing("mx.sub.alpha.test") == "alpha.test: ed-1 rsa-1");
  CHECK(f.signing("notalpha.test") == ":");
  CHECK(f.signing("test") == ":");

  auto now = f.loop.now();
  REQUIRE(f.step(
      [&](auto& tx) { return activate_signing_key(tx, "alpha.test", "rsa-2", now, kKeep); }));
  CHECK(f.signing("alpha.test") == "alpha.test: ed-1 rsa-2");
  auto old = f.get("rsa-1");
  CHECK(old.state == SigningState::Retired);
  CHECK(old.record_until == now + kKeep);
  CHECK(old.record == "v=DKIM1; p=x");
}

TEST_CASE("a key goes only when nothing needs it") {
  Fixture f;
  auto now = f.loop.now();
  REQUIRE(f.add("s1", SigningState::Active));
  auto remove = [&](Time at, Remove when) {
    auto done =
        f.step([&](auto& tx) { return remove_signing_key(tx, "alpha.test", "s1", at, when); });
    return done ? ErrorCode::Internal : done.error().code;
  };
  CHECK(remove(now, Remove::Now) == ErrorCode::Conflict);  // it signs
  REQUIRE(f.step([&](auto& tx) { return retire_signing_key(tx, "alpha.test", "s1", now, kKeep); }));
  CHECK(remove(now + kKeep - milliseconds(1), Remove::WhenDue) == ErrorCode::Conflict);
  CHECK(remove(now + kKeep, Remove::WhenDue) == ErrorCode::Internal);
  CHECK(f.get("s1").state == SigningState::Gone);
  CHECK(f.add("s1", SigningState::Published));  // its name may be used again
  CHECK(f.get("s1").state == SigningState::Published);
}

TEST_CASE("what is refused") {
  Fixture f;
  REQUIRE(f.add("s1", SigningState::Published));
  CHECK(f.add("s1", SigningState::Published).error().code == ErrorCode::Exists);
  CHECK(f.add("a b", SigningState::Published).error().code == ErrorCode::Invalid);
  CHECK(f.add("", SigningState::Published).error().code == ErrorCode::Invalid);
  CHECK(f.add("s2", SigningState::Published, SigningAlgorithm::Rsa, "beta.test").error().code ==
        ErrorCode::NotFound);
}

TEST_CASE("the first time that the DNS has shown a record counts") {
  Fixture f;
  auto now = f.loop.now();
  REQUIRE(f.add("s1", SigningState::Published));
  for (auto later : {0, 50})
    REQUIRE(f.step([&](auto& tx) {
      return note_signing_key_seen(tx, "alpha.test", "s1", now + seconds(later), seconds(60));
    }));
  CHECK(f.get("s1").signs_from == now + seconds(60));
}

}  // namespace
}  // namespace hikyaku::auth
