// What a crash has cut off and what the store does not take: tried again, nothing is sent twice.
#include <doctest/doctest.h>

#include "mime/text.h"
#include "queue/rows.h"
#include "queue/tables.h"
#include "store/index_error.h"
#include "story/story.h"
#include "transmit/sending_test.h"
#include "transmit/transmitter.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;

TEST_CASE("what a crash cut off is tried again, and held at the third time") {
  Fixture f;
  f.submit({"x@beta.test"});
  auto entry = f.queued()[0];
  for (int i = 0; i < 2; ++i) {
    f.change([&](store::Transaction& tx) -> Result<void> {
      TRY_DO(queue::begin_attempt(tx, entry.message, 0, f.loop.now()));
      queue::recover_interrupted(tx, f.loop.now());
      return {};
    });
  }
  f.change([&](store::Transaction& tx) {
    return queue::begin_attempt(tx, entry.message, 0, f.loop.now());
  });
  f.start();
  f.run_for(1h);
  CHECK(f.queued()[0].state == queue::State::Held);
  CHECK(f.tried.empty());
}

TEST_CASE("whoever owns a message that is held after three crashes is told once") {
  struct Case {
    std::string from, notify;
    bool anna;  ///< else postmaster, which is anna too: the words differ
  };
  for (auto& c : {Case{"anna@alpha.test", "", true}, Case{"", "", false},
                  Case{"anna@alpha.test", "NEVER", false}}) {
    CAPTURE(c.from);
    Fixture f;
    f.change([&](store::Transaction& tx) {
      f.anna.language = Language::Japanese;
      return auth::update_account(tx, f.anna);
    });
    f.submit({"x@beta.test"}, c.from);
    auto entry = f.queued()[0];
    auto crash = [&] {
      f.change([&](store::Transaction& tx) -> Result<void> {
        return queue::begin_attempt(tx, entry.message, 0, f.loop.now());
      });
    };
    if (c.notify == "NEVER") {
      f.change([&](store::Transaction& tx) -> Result<void> {
        auto message = *queue::get_message(tx, entry.message);
        entry.notify = queue::kNotifyNever;
        TRY_DO(queue::finish(tx, entry.message, 0));
        queue::add(tx, message, {entry});
        return {};
      });
    }
    for (int i = 0; i < 2; ++i) {
      crash();
      f.change([&](store::Transaction& tx) -> Result<void> {
        queue::recover_interrupted(tx, f.loop.now());
        return {};
      });
    }
    crash();
    f.store.fail_with(ErrorCode::NoSpace);
    f.start();
    f.run_for(1h);
    CHECK(f.inbox(f.anna.id).empty());
    f.store.fail_with({});
    f.run_for(1h);
    f.stop(0s);
    f.start();
    f.run_for(1h);
    auto mails = f.inbox(f.anna.id);
    REQUIRE(mails.size() == 1);
    auto mail = mime::parse_message(mails[0].bytes);
    auto text = mime::body_text(mail, mail.root());
    CHECK(mails[0].bytes.starts_with("Return-Path: <>\r\n"));
    CHECK(text.contains("hikyaku queue release " + story::to_text(entry.message)));
    CHECK(text.contains("<x@beta.test>"));
    CHECK(text.contains("Subject: hello"));
    CHECK(text.contains("三度"));
    CHECK(text.contains("of yours") == c.anna);
    CHECK(f.queued()[0].state == queue::State::Held);
    CHECK(f.tried.empty());
  }
}

/// Rows of a table, or those that begin so, cannot be read from now on.
void damage(Fixture& f, std::string begin) {
  f.store.keys().before_get = [begin](std::string_view key) {
    if (key.starts_with(begin)) throw store::IndexError("a block is damaged");
  };
}

TEST_CASE("what cannot be read for a while ends no sending") {
  for (auto table : {queue::kTableEntry, queue::kTableDue, queue::kTableAttempting,
                     queue::kTableMessage, queue::kTableLowWater}) {
    CAPTURE(table);
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    damage(f, store::Key(store::kInstance, table).bytes());
    f.start();
    f.run_for(30min);
    f.store.keys().before_get = nullptr;
    f.submit({"x@beta.test"});
    f.run_for(1min);
    CHECK(beta.messages.size() == 1);
    damage(f, store::Key(store::kInstance, table).bytes());
    f.run_for(30min);
    f.store.keys().before_get = nullptr;
    f.submit({"y@beta.test"});
    f.run_for(1min);
    CHECK(beta.messages.size() == 2);
    CHECK(f.queued().empty());
  }
}

TEST_CASE("an entry or a message that cannot be read keeps no other from leaving") {
  for (bool message : {false, true}) {
    CAPTURE(message);
    Fixture f;
    f.servers["192.0.2.1"];
    f.submit({"x@beta.test"});
    f.submit({"y@beta.test"});
    f.submit({"z@beta.test"});
    auto damaged = f.queued()[1];
    auto key = message ? queue::message_key(damaged.message) : queue::entry_key(damaged.message, 0);
    damage(f, key.bytes());
    f.start();
    f.run_for(3min);
    CHECK(f.servers["192.0.2.1"].messages.size() == 2);
    // It was a device error that has passed.
    f.store.keys().before_get = nullptr;
    f.run_for(15min);
    CHECK(f.servers["192.0.2.1"].messages.size() == 3);
    CHECK(f.queued().empty());
  }
}

TEST_CASE("an entry that is dropped while it is sent takes nobody else's outcome with it") {
  Fixture f;
  f.submit({"x@beta.test", "y@beta.test"});
  auto& beta = f.servers["192.0.2.1"];
  auto id = f.queued()[0].message;
  beta.answers["."] = "SLOW 250 2.0.0 ok";
  f.start();
  f.run_for(5s);
  REQUIRE(f.transmitter->attempting() == 2);
  f.change([&](store::Transaction& tx) { return queue::finish(tx, id, 0); });
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(beta.messages.size() == 1);
}

TEST_CASE("a full disk keeps a bounce back, and nothing is sent twice") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["RCPT TO:<never@"] = "550 5.1.1 no";
  f.submit({"now@beta.test", "never@beta.test"});
  f.store.fail_with(ErrorCode::NoSpace);
  f.start();
  f.run_for(1h);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].recipient == "never@beta.test");
  CHECK(!f.queued()[0].attempting);
  CHECK(beta.messages.size() == 1);
  f.store.fail_with({});
  f.run_for(1h);
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.anna.id).size() == 1);
}

TEST_CASE("an outcome that cannot be stored is kept until it can be, and nothing is sent twice") {
  struct Case {
    ErrorCode code;
    std::string rcpt;  ///< how the server answers RCPT
    std::size_t queued, bounced, sent;
  };
  for (auto& c :
       {Case{ErrorCode::Io, "250 2.1.5 ok", 0, 0, 1}, Case{ErrorCode::Conflict, "250 ok", 0, 0, 1},
        Case{ErrorCode::Unavailable, "250 ok", 0, 0, 1},
        Case{ErrorCode::Io, "550 5.1.1 no", 0, 1, 0},
        Case{ErrorCode::Io, "450 4.2.1 later", 1, 0, 0}}) {
    CAPTURE(c.rcpt);
    Fixture f;
    auto& beta = f.servers["192.0.2.1"];
    beta.answers["RCPT"] = c.rcpt;
    f.submit({"x@beta.test"});
    auto refusing = true;
    f.store.before_step = [&] {
      auto asked = count(beta, "RCPT") > 0;
      f.store.fail_with(asked && refusing ? std::optional(c.code) : std::nullopt);
    };
    f.start();
    f.run_for(3h);
    REQUIRE(f.queued().size() == 1);
    CHECK(f.queued()[0].attempting);
    CHECK(f.transmitter->attempting() == 1);
    refusing = false;
    f.run_for(5min);  // the longest wait, and less than a retry
    auto left = f.queued();
    REQUIRE(left.size() == c.queued);
    if (c.queued) CHECK(!left[0].attempting);
    CHECK(f.inbox(f.anna.id).size() == c.bounced);
    CHECK(f.transmitter->attempting() == 0);
    CHECK(beta.messages.size() == c.sent);
    CHECK(count(beta, "RCPT") == 1);
  }
}

TEST_CASE("a bounce whose rows cannot be written is not forgotten, nor told twice") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  beta.answers["RCPT TO:<never@"] = "550 5.1.1 no";
  f.submit({"now@beta.test", "never@beta.test"});
  auto id = f.queued()[0].message;
  int steps = 0;
  auto refusing = true;
  f.store.before_step = [&] {
    // The first step after the message is taken ends the delivery; the notice and what would put
    // it off fail.
    auto fails = refusing && !beta.messages.empty() && ++steps > 1;
    f.store.fail_with(fails ? std::optional(ErrorCode::Io) : std::nullopt);
  };
  f.start();
  f.run_for(1h);
  REQUIRE(f.queued().size() == 1);
  CHECK(f.queued()[0].attempting);
  refusing = false;
  f.run_for(5min);
  CHECK(f.queued().empty());
  CHECK(f.inbox(f.anna.id).size() == 1);
  CHECK(beta.messages.size() == 1);
  auto told = 0;
  auto story = story::find_story(f.store.keys(), id);
  for (auto& event : story->events) told += event.attempt && event.attempt->result == "bounced";
  CHECK(told == 1);
}

TEST_CASE("an attempt that nobody makes is taken up when its lease has run out") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.submit({"x@beta.test"});
  f.settings_of_transmitter.window = 0;
  f.start();  // takes nothing up by itself
  auto entry = f.queued()[0];
  f.change([&](store::Transaction& tx) {
    return queue::begin_attempt(tx, entry.message, 0, f.loop.now() + 1h);
  });
  f.run_for(50min);
  CHECK(f.queued()[0].attempting);
  f.run_for(30min);
  CHECK(!f.queued()[0].attempting);
  CHECK(f.queued()[0].interrupted == 1);
  f.stop(0s);
  f.settings_of_transmitter.window = 100;
  f.start();
  f.run_until_idle();
  CHECK(f.queued().empty());
  CHECK(beta.messages.size() == 1);
}

TEST_CASE("what a crash cut off is taken up though the store refuses at first") {
  Fixture f;
  f.servers["192.0.2.1"];
  f.submit({"x@beta.test"});
  auto entry = f.queued()[0];
  f.change([&](store::Transaction& tx) {
    return queue::begin_attempt(tx, entry.message, 0, f.loop.now() + 2h);
  });
  f.store.fail_with(ErrorCode::Io);
  f.start();
  f.run_for(1min);
  f.store.fail_with({});
  f.run_for(1min);
  CHECK(f.queued().empty());
}

}  // namespace
}  // namespace hikyaku::transmit
