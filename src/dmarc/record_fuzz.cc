// Records and lists of addresses from anywhere: read without a crash, and what is one is examined.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "dmarc/record.h"
#include "dmarc/report_address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  std::string text(reinterpret_cast<const char*>(data), size);
  auto record = dmarc::parse_record(text);
  if (record.has_value() != dmarc::is_record(text)) std::abort();
  for (auto& remark : dmarc::examine_record(text))
    if (remark.describe(Language::English).empty()) std::abort();
  if (auto mended = dmarc::mend_record(text))
    if (!dmarc::is_record(*mended) || dmarc::mend_record(*mended)) std::abort();
  auto list = record ? std::string(record->rua()) : text;
  for (auto& uri : dmarc::parse_report_uris(list))
    if (uri.is_mail() == uri.host.empty()) std::abort();
  return 0;
}
