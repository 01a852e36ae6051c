// Aggregate reports from anywhere: read without a crash; what is read can be written and is then
// read without a problem.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "dmarc/aggregate_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::dmarc;
  AggregateLimits limits;
  limits.records = 100;
  auto report =
      parse_aggregate_report(std::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (!report) return 0;
  std::string xml;
  AggregateWriter writer([&](std::string_view piece) { xml += piece; });
  writer.begin(report->metadata, report->policy);
  for (auto& record : report->records) writer.record(record);
  writer.end();
  auto again = parse_aggregate_report(xml, limits);
  if (!again || again->records.size() != report->records.size()) std::abort();
  if (again->schema != AggregateReport::Schema::Rfc9990) std::abort();
  return 0;
}
