// Messages with feedback reports from anywhere: what is read can be written, and is read again.
#include <cstdint>
#include <cstdlib>
#include <string>

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
  auto written = dmarc::compose_failure_report(*report, mail);
  auto again = dmarc::find_failure_report(mime::parse_message(written));
  if (!again || again->type != report->type) std::abort();
  if (mime::parse_message(written).parts.size() != 4) std::abort();
  return 0;
}
