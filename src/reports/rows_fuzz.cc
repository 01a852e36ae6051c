// Stored rows, digests and mails with reports: any bytes; what is read is written the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reports/digest.h"
#include "reports/rows.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku::reports;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto row = decode_row(bytes)) {
    auto written = encode_row(row->count, encode_identity(*row));
    auto again = decode_row(written);
    if (!again || again->count != row->count || again->source != row->source) std::abort();
  }
  decode_domain(bytes);
  ReadLimits limits;
  limits.bytes = limits.packed_bytes = 1 << 20;
  limits.rows = 10;
  if (auto digest = decode_digest(bytes, limits)) {
    auto written = encode_digest(*digest);
    auto again = decode_digest(written, limits);
    if (!again || encode_digest(*again) != written) std::abort();
  }
  auto digest = digest_of(read_report(bytes, limits));
  if (digest.rows.size() > 10 + 16 || !decode_digest(encode_digest(digest), limits)) std::abort();
  return 0;
}
