// Stored rows, digests and mails with reports: any bytes; what is read is written the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reports/digest.h"
#include "reports/outgoing.h"
#include "reports/received_form.h"
#include "reports/rows.h"
#include "store/memory_transaction.h"

namespace {

using namespace hikyaku::reports;

/// What `bytes` are read as is the same when it is written again.
template <auto Decode, auto Encode>
void round_trip(std::string_view bytes) {
  auto row = Decode(bytes);
  if (!row) return;
  auto written = Encode(*row);
  auto again = Decode(written);
  if (!again || Encode(*again) != written) std::abort();
}

void outgoing(std::string_view bytes) {
  hikyaku::store::MemoryTransaction memory;
  const Subject subject{1, "a.test", 2};
  put_outgoing(memory, subject, {});
  for (auto& [key, value] : auto(memory.keys())) memory.put(key, bytes);
  auto found = find_outgoing(memory, subject);
  if (!found) return;
  put_outgoing(memory, subject, *found);
  auto again = find_outgoing(memory, subject);
  if (!again || again->rows != found->rows || again->recipients != found->recipients) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto row = decode_row(bytes)) {
    auto written = encode_row(row->count, encode_identity(*row));
    auto again = decode_row(written);
    if (!again || again->count != row->count || again->source != row->source) std::abort();
  }
  decode_domain(bytes);
  round_trip<decode_received, encode_received>(bytes);
  round_trip<decode_failure, encode_failure>(bytes);
  round_trip<decode_unread, encode_unread>(bytes);
  outgoing(bytes);
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
