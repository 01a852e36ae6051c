// Others' reports as they are taken in and listed.
#include "reports/received.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "base/codec.h"
#include "reports/digest.h"
#include "reports/read_report.h"
#include "reports/received_form.h"
#include "reports/report_mails_test.h"

namespace hikyaku::reports {
namespace {

TEST_CASE("mail to the address is taken in, read, kept once, and its body goes") {
  store::MemoryTransaction tx;
  auto read = read_report(mail_with("text/xml", xml("1", 3), "a.xml"));
  REQUIRE(read.kind == ReadReport::Kind::Aggregate);
  CHECK(take_in(tx, {7, 0, kNoon, "d@big.test", kBig}, store::MemoryTransaction::stage("mail")));
  auto taken = list_taken(tx, 10);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].mail_from == "d@big.test");
  CHECK(tx.notified().contains({store::kInstance, kTopicTaken}));

  auto report = received_report(taken[0], digest_of(read));
  CHECK(report.domain == "alpha.test");
  CHECK(report.messages == 6);
  CHECK(report.passed == 6);
  CHECK_FALSE(is_known(tx, report));
  put_received_rows(tx, report, 0, read.rows);
  put_received(tx, report);
  finish_taken(tx, taken[0]);
  CHECK(list_taken(tx, 10).empty());
  CHECK(tx.bodies().at(taken[0].body).owners.empty());

  auto again = received_report({8, 0, kNoon, {}, kBig},
                               digest_of(read_report(mail_with("text/xml", xml("1", 3), "b.xml"))));
  CHECK(is_known(tx, again));
  auto next = received_report({9, 0, kNoon, {}, kBig},
                              digest_of(read_report(mail_with("text/xml", xml("2", 3), "b.xml"))));
  CHECK_FALSE(is_known(tx, next));

  auto listed = list_received(tx, 0, {}, 10);
  REQUIRE(listed.reports.size() == 1);
  CHECK(listed.reports[0].organization == "big.test");
  CHECK(listed.reports[0].policy == dmarc::Policy::Quarantine);
  CHECK(read_received_rows(tx, listed.reports[0], {}, 10).rows.size() == 3);
  trim_received(tx, report.day + 1);
  CHECK(list_received(tx, 0, {}, 10).reports.empty());
}

TEST_CASE("a flood of reports keeps out no other sender's") {
  store::MemoryTransaction tx;
  auto bring = [&](story::MessageId id, const Sender& sender) {
    return take_in(tx, {id, 0, kNoon, "x@evil.test", sender},
                   store::MemoryTransaction::stage("mail"));
  };
  story::MessageId id = 1;
  for (std::uint64_t i = 0; i < kMostUnprovedADay; ++i)
    REQUIRE(bring(id++, {Sender::State::Failed, "big.test"}));
  CHECK_FALSE(bring(id, {Sender::State::Failed, "big.test"}));
  for (std::uint64_t i = 0; i < kMostOfADomainADay; ++i)
    REQUIRE(bring(id++, {Sender::State::Proved, fmt::format("{}.evil.test", i)}));
  CHECK_FALSE(bring(id, {Sender::State::Proved, "evil.test"}));
  CHECK(bring(id, kBig));
}

TEST_CASE("what was kept before senders were looked at counts as it did") {
  ReceivedReport report;
  report.organization = "big.test";
  report.sender = kBig;
  auto bytes = encode_received(report);
  CHECK(decode_received(bytes)->sender == kBig);
  Encoder sender;
  put_sender(sender, kBig);
  bytes.resize(bytes.size() - sender.bytes().size() - 1);  // and what was left out
  auto old = decode_received(bytes);
  REQUIRE(old);
  CHECK(old->sender.state == Sender::State::Unrecorded);
  CHECK(old->sender.counts());
}

TEST_CASE("what was noted before notices were told apart is still read") {
  Encoder old;
  old.svarint(kNoon.time_since_epoch().count());
  old.text("d@big.test");
  old.text("there is no report in the mail");
  auto unread = decode_unread(old.bytes());
  REQUIRE(unread);
  CHECK(unread->problem == "there is no report in the mail");
  CHECK_FALSE(unread->bounced);
}

}  // namespace
}  // namespace hikyaku::reports
