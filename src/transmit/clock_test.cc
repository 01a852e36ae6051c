// When mail is tried and given up, by the schedule and by clocks that were or are wrong.
#include <doctest/doctest.h>

#include "queue/rows.h"
#include "transmit/sending_test.h"
#include "transmit/transmitter.h"

namespace hikyaku::transmit {
namespace {

using namespace std::chrono_literals;

TEST_CASE("retries by the schedule, a delay notice, and the end after five days") {
  Fixture f;
  auto begin = f.loop.now();
  f.submit({"x@beta.test"});
  f.start();
  f.run_for(7h);
  std::vector<milliseconds> waits;
  for (auto at : f.tried_at) waits.push_back(at - begin);
  REQUIRE(waits.size() == 6);
  std::vector<milliseconds> expected{0min, 5min, 20min, 50min, 110min, 230min};
  for (std::size_t i = 0; i < 6; ++i) CHECK(abs(waits[i] - expected[i]) < 10s);
  CHECK(f.inbox(f.anna.id).empty());
  f.run_for(24h);
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 1);
  CHECK(report_in(mails[0])[0].starts_with("delayed 4.4.1 x@beta.test"));
  f.run_until([&] { return f.queued().empty(); });
  CHECK(f.loop.now() - begin >= 120h);
  CHECK(f.loop.now() - begin < 120h + 5min);
  mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 2);
  CHECK(report_in(mails[1])[0].starts_with("failed 5.4.1 x@beta.test"));
}

TEST_CASE("mail leaves at once after the clock was set back") {
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.loop.run(f.store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
    queue::set_low_water(tx, f.loop.now() + 9000h);  // by a clock that was ahead
    return {};
  }));
  f.submit({"x@beta.test"});
  CHECK(f.nothing_due());
  f.start();
  f.run_for(1s);
  CHECK(beta.messages.size() == 1);
  f.submit({"y@beta.test"});
  f.run_for(1s);
  CHECK(beta.messages.size() == 2);
}

TEST_CASE("that the clock was set back is told once for each time, also while the store refuses") {
  struct Lines final : LogSink {
    int told = 0;
    void write(LogLevel, std::string_view line) override {
      told += line.starts_with("event=queue.clock");
    }
  } lines;
  Fixture f;
  auto& beta = f.servers["192.0.2.1"];
  f.log = Log(lines, LogLevel::Warn);
  auto ahead = [&] {
    f.loop.run(f.store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
      queue::set_low_water(tx, f.loop.now() + 9000h);
      return {};
    }));
  };
  ahead();
  f.start();
  f.run_for(2min);
  CHECK(lines.told == 1);
  ahead();
  f.store.fail_with(ErrorCode::Io);
  f.run_for(10min);
  CHECK(lines.told == 3);  // and why it cannot be mended
  f.store.fail_with({});
  f.submit({"x@beta.test"});
  f.run_for(10s);
  CHECK(lines.told == 3);
  CHECK(beta.messages.size() == 1);
}

TEST_CASE("what arrived by a clock that was ahead is given up after its time, too") {
  Fixture f;
  auto begin = f.loop.now();
  f.submit({"x@beta.test"});
  auto id = f.queued().at(0).message;
  f.loop.run(f.store.transact({store::kInstance}, [&](store::Transaction& tx) -> Result<void> {
    auto message = queue::get_message(tx, id).value();
    message.arrived = begin + 9000h;
    tx.put(queue::message_key(id), queue::encode(message));
    return {};
  }));
  f.start();
  f.run_until([&] { return f.queued().empty(); });
  CHECK(f.loop.now() - begin >= 115h);
  CHECK(f.loop.now() - begin < 125h);
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 2);
  CHECK(report_in(mails[0])[0].starts_with("delayed"));
  CHECK(report_in(mails[1])[0].starts_with("failed"));
}

TEST_CASE("a clock that leaps ahead delays nothing; what waits that long is told of") {
  struct Stopped final : Clock {
    Time time{};
    Time now() const override { return time; }
  } ages;
  Fixture f;
  ages.time = f.loop.now();
  f.ages = &ages;
  f.submit({"x@beta.test"});
  f.start();
  f.run_for(48h);
  CHECK(f.tried_at.size() > 5);
  CHECK(f.inbox(f.anna.id).empty());
  ages.time += 48h;
  f.run_for(12h);
  auto mails = f.inbox(f.anna.id);
  REQUIRE(mails.size() == 1);
  CHECK(report_in(mails[0])[0].starts_with("delayed"));
}

}  // namespace
}  // namespace hikyaku::transmit
