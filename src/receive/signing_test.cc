#include "receive/signing.h"

#include <algorithm>
#include <doctest/doctest.h>

#include "dkim/key_record.h"
#include "dkim/verifier.h"
#include "dns/fake_resolver.h"
#include "mime/header.h"
#include "queue/queue.h"
#include "receive/receiver.h"
#include "testing/world.h"

namespace hikyaku::receive {
namespace {

/// A World whose alpha.test has one Ed25519 key, "s1".
struct Fixture : testing::World {
  crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyType::Ed25519).value();
  int read = 0;
  bool readable = true;
  KeyRing ring{store,
               pool,
               loop,
               [this](const std::string&, const std::string&) -> Result<crypto::Secret> {
                 ++read;
                 if (!readable) return fail(ErrorCode::NotFound, "no such file");
                 return key.to_pem();
               },
               {}};

  Fixture() {
    auth::SigningKey row;
    row.domain = "alpha.test";
    row.selector = "s1";
    row.algorithm = auth::SigningAlgorithm::Ed25519;
    row.state = auth::SigningState::Active;
    row.record = dkim::write_key_record(key.public_key());
    change([&](store::Transaction& tx) { return auth::add_signing_keys(tx, {row}, {}); });
    receiver = receive::make_receiver(
        settings, {store, pool, loop, random, large_messages, nullptr, &ring}, {});
  }

  /// The queued message as the next server gets it; "" when it was refused.
  std::string send(Peer::Kind kind, const std::string& message, std::size_t piece = 1000) {
    Peer peer;
    peer.kind = kind;
    if (kind == Peer::Kind::User) peer.login = auth::Login{anna.id, anna.address, "PLAIN", "x"};
    smtp::Transaction envelope;
    envelope.from.mailbox = smtp::parse_mailbox("anna@alpha.test", {}).value();
    envelope.recipients.push_back({smtp::parse_mailbox("team@alpha.test", {}).value(), {}});
    auto incoming = receiver->begin(peer, envelope);
    for (std::size_t at = 0; at < message.size(); at += piece)
      loop.run(incoming->append(std::string_view(message).substr(at, piece)));
    if (!loop.run(incoming->finish()).positive()) return {};
    auto queued = queue::get_message(store.keys(), incoming->id()).value();
    return queued.prefix + *store.keys().bodies().at(queued.blob).bytes;
  }

  std::string verify(const std::string& message) {
    dns::FakeResolver dns;
    dns.add("s1._domainkey.alpha.test. 60 IN TXT \"" + dkim::write_key_record(key.public_key()) +
            "\"\n");
    auto end = message.find("\r\n\r\n");
    auto header = end == std::string::npos ? message : message.substr(0, end + 4);
    dkim::Verifier verifier(header, {.now = loop.now()});
    if (end != std::string::npos) verifier.body(std::string_view(message).substr(end + 4));
    return std::string(dkim::to_string(dkim::best(loop.run(verifier.finish(dns)))));
  }
};

const std::string kMessage =
    "From: Anna <anna@alpha.test>\r\nTo: team@alpha.test\r\nSubject: dinner\r\n\r\nIs it\r\nready?"
    "\r\n\r\n";

TEST_CASE("what leaves is signed however it comes; what is delivered here is as it was") {
  Fixture f;
  for (std::size_t piece : {1, 2, 7, 60, 1000}) {
    CAPTURE(piece);
    auto sent = f.send(Peer::Kind::User, kMessage, piece);
    CHECK(sent.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"));
    CHECK(f.verify(sent) == "pass");
    auto changed = sent;
    changed[changed.find("ready")] = 'R';
    CHECK(f.verify(changed) == "fail");
  }
  CHECK(f.read == 1);
  CHECK(f.inbox(f.anna.id).back().bytes.find("DKIM-Signature") == std::string::npos);
}

TEST_CASE("messages without header or body") {
  Fixture f;
  for (std::string message :
       {"Subject: x\r\n", "Subject: x\r\n\r\n", "just words\r\n", "just words\r\n\r\nmore\r\n",
        "\r\nwords\r\n", "From: <anna@alpha.test>\r\nwords without an empty line\r\n"}) {
    CAPTURE(message);
    CHECK(f.verify(f.send(Peer::Kind::User, message)) == "pass");
  }
}

TEST_CASE("whose mail is signed") {
  Fixture f;
  auto is_signed = [&](Peer::Kind kind, std::string_view from) {
    auto message = kMessage;
    message.replace(message.find("anna@alpha.test"), 15, from);
    auto sent = f.send(kind, message);
    REQUIRE(!sent.empty());
    return sent.starts_with("DKIM-Signature:");
  };
  CHECK(is_signed(Peer::Kind::User, "anna@alpha.test"));
  CHECK(is_signed(Peer::Kind::Program, "root@host.ALPHA.test"));
  CHECK(is_signed(Peer::Kind::Self, "postmaster@alpha.test"));
  CHECK_FALSE(is_signed(Peer::Kind::Program, "someone@beta.test"));
  CHECK_FALSE(is_signed(Peer::Kind::Program, "someone@notalpha.test"));
  CHECK_FALSE(is_signed(Peer::Kind::Server, "anna@alpha.test"));
}

TEST_CASE("each author's domain that is ours signs") {
  Fixture f;
  f.change([&](store::Transaction& tx) -> Result<void> {
    TRY_DO(auth::add_domain(tx, "gamma.test", f.loop.now()));
    auth::SigningKey row;
    row.domain = "gamma.test";
    row.selector = "s1";
    row.algorithm = auth::SigningAlgorithm::Ed25519;
    row.state = auth::SigningState::Active;
    row.record = dkim::write_key_record(f.key.public_key());
    return auth::add_signing_keys(tx, {row}, {});
  });
  auto signers = [&](std::string_view from) {
    auto message = kMessage;
    message.replace(message.find("anna@alpha.test"), 15, from);
    auto sent = f.send(Peer::Kind::Program, message);
    std::vector<std::string> domains;
    for (auto& field : mime::HeaderView(sent)) {
      if (!field.is("DKIM-Signature")) continue;
      auto value = mime::unfold(field.value);
      auto at = value.find("d=") + 2;
      domains.push_back(value.substr(at, value.find(';', at) - at));
    }
    std::ranges::sort(domains);
    return domains;
  };
  using Domains = std::vector<std::string>;
  CHECK(signers("a@alpha.test, b@gamma.test") == Domains{"alpha.test", "gamma.test"});
  CHECK(signers("b@gamma.test, x@beta.test") == Domains{"gamma.test"});
  CHECK(signers("x@beta.test, a@alpha.test") == Domains{"alpha.test"});
  CHECK(signers("a@alpha.test, b@ALPHA.test, c@host.alpha.test") == Domains{"alpha.test"});
  CHECK(signers("ours: a@alpha.test, b@gamma.test;") == Domains{"alpha.test", "gamma.test"});
}

TEST_CASE("keys follow the directory, and a lost one lets mail go") {
  Fixture f;
  f.readable = false;
  CHECK_FALSE(f.send(Peer::Kind::User, kMessage).contains("DKIM-Signature"));
  CHECK_FALSE(f.send(Peer::Kind::User, kMessage).contains("DKIM-Signature"));
  CHECK(f.read == 1);  // not with every message
  f.readable = true;
  f.loop.advance(std::chrono::minutes(2));
  CHECK(f.send(Peer::Kind::User, kMessage).contains("DKIM-Signature"));
  f.change([&](store::Transaction& tx) {
    return auth::retire_signing_key(tx, "alpha.test", "s1", f.loop.now(), {});
  });
  CHECK_FALSE(f.send(Peer::Kind::User, kMessage).contains("DKIM-Signature"));
  f.key = crypto::PrivateKey::generate(crypto::KeyType::Ed25519).value();
  f.change([&](store::Transaction& tx) {
    return auth::activate_signing_key(tx, "alpha.test", "s1", f.loop.now(), {});
  });
  CHECK_FALSE(f.send(Peer::Kind::User, kMessage).contains("DKIM-Signature"));  // another's file
}

}  // namespace
}  // namespace hikyaku::receive
