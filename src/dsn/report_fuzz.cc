// A report whose words come from a stranger is always whole: its delimiters and its fields are
// ours.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dsn/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto half = text.substr(0, size / 2);
  dsn::Recipient recipient;
  recipient.final = {"bob", "b.test", "b.test"};
  recipient.status = {5, 1, 1};
  recipient.remote_mta = half.empty() ? "mx" : half;
  recipient.diagnostic = text.substr(size / 2);
  dsn::Report report;
  report.reporting_mta = "mx.a.test";
  report.to = {"ann", "a.test", "a.test"};
  report.message_id = "1@a.test";
  report.boundary = "0123456789abcdefghij";
  report.recipients = {recipient};
  report.language = size % 2 ? Language::Japanese : Language::English;
  auto composed = dsn::compose(report);
  auto bytes = composed.front + composed.back;
  auto message = mime::parse_message(bytes);
  if (message.parts.size() != 4) std::abort();
  auto found = dsn::find_report(message);
  if (!found || found->status.recipients.size() != 1) std::abort();
  const auto& status = found->status.recipients.front();
  if (status.final.value != "bob@b.test" || status.status != recipient.status) std::abort();
  return 0;
}
