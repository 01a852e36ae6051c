// Messages with feedback reports from anywhere: what is read can be written, is read
// again, and names no recipient.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "dmarc/failure_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto report = dmarc::find_failure_report(mime::parse_message(bytes));
  if (!report) return 0;
  dmarc::FailureReportMail mail;
  mail.from = "dmarc@b.test";
  mail.to = {"ruf@a.test"};
  mail.message_id = "1@b.test";
  mail.unique = "0123456789abcdefghij";
  mail.redaction_key = "key";
  mail.recipients = {"bob.secret@beta.test", report->original_rcpt_to};
  // What is ours to say.
  report->user_agent = report->reporting_mta = {};
  report->reported_domains.clear();
  report->authentication_results.clear();
  auto written = dmarc::compose_failure_report(*report, mail);
  auto again = dmarc::find_failure_report(mime::parse_message(written));
  if (!again || again->type != report->type) std::abort();
  if (mime::parse_message(written).parts.size() != 4) std::abort();
  for (auto secret : {"bob.secret", "bob=2esecret", "bob%2esecret"})
    if (ifind(written, secret) != std::string::npos) std::abort();
  return 0;
}
