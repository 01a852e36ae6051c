#include "dsn/parse.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "dsn/report.h"
#include "testing/vectors.h"

namespace hikyaku::dsn {
namespace {

TEST_CASE("our own reports can be read") {
  constexpr std::string_view kOriginal = "Subject: x\r\nMessage-ID: <1@a.test>\r\n\r\n";
  Report report;
  report.reporting_mta = "mx.a.test";
  report.envelope_id = "E1";
  Recipient bob;
  bob.final = *smtp::parse_mailbox("bob@b.test");
  bob.status = {5, 2, 2};
  bob.remote_mta = "mx.b.test";
  bob.diagnostic = "552 5.2.2 full";
  report.recipients = {bob};
  report.to = *smtp::parse_mailbox("ann@a.test");
  report.boundary = "0123456789abcdefghij";
  report.original_header = kOriginal;
  for (auto returned : {smtp::Return::Headers, smtp::Return::Full}) {
    for (auto language : {Language::English, Language::Japanese}) {
      report.returned = returned;
      report.language = language;
      auto composed = compose(report);
      auto bytes = composed.front;
      if (composed.with_message) bytes += std::string(kOriginal) + "Hello\r\n";
      bytes += composed.back;
      auto message = mime::parse_message(bytes);
      for (const auto& part : message.parts) CHECK(part.defects == 0);
      auto found = find_report(message);
      REQUIRE(found);
      CHECK(found->status.envelope_id == "E1");
      CHECK(found->original_message_id == "1@a.test");
      REQUIRE(found->status.recipients.size() == 1);
      const auto& recipient = found->status.recipients.front();
      CHECK(recipient.final.value == "bob@b.test");
      CHECK(recipient.action == Action::Failed);
      CHECK(recipient.status == smtp::EnhancedStatus{5, 2, 2});
      CHECK(recipient.diagnostic == Typed{"smtp", "552 5.2.2 full"});
    }
  }
}

TEST_CASE("no report") {
  auto ordinary = mime::parse_message("Subject: x\r\n\r\nAction: failed\r\n");
  CHECK(!find_report(ordinary));
  auto empty = mime::parse_message("Content-Type: message/delivery-status\r\n\r\n");
  CHECK(!find_report(empty));
}

TEST_CASE("reports from the wild") {
  auto vectors = testing::vectors::folder_or_skip("reports from the wild");
  if (vectors.empty()) return;
  auto folder = vectors / "bounces";
  int reports = 0;
  int whole = 0;
  int standard = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".eml") continue;
    auto name = entry.path().filename().string();
    CAPTURE(name);
    auto bytes = testing::vectors::read(entry.path());
    auto message = mime::parse_message(bytes);
    auto report = find_report(message);
    if (report) {
      ++reports;
      const auto& first = report->status.recipients.front();
      whole += !first.final.value.empty() && first.action && first.status;
    }
    // The set's README: these two have no such fields.
    bool excepted = name == "rfc3464-37.eml" || name == "rfc3464-39.eml";
    if (!name.starts_with("rfc3464") || excepted) continue;
    ++standard;
    REQUIRE(report);
    for (const auto& recipient : report->status.recipients) {
      CHECK(!recipient.final.value.empty());
      CHECK(recipient.action);
      CHECK(recipient.status);
    }
  }
  std::cout << "bounces: " << reports << " reports, " << whole << " of them whole\n";
  CHECK(standard >= 16);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "not-a-bounce")) {
    auto bytes = testing::vectors::read(entry.path());
    CAPTURE(entry.path().string());
    CHECK(!find_report(mime::parse_message(bytes)));
  }
}

}  // namespace
}  // namespace hikyaku::dsn
