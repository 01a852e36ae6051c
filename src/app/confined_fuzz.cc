// What the confined processes say to the server: any bytes, cut anywhere, give a bounded answer, an
// error, or nothing yet; a digest that is taken from them too.
#include <algorithm>
#include <cstdlib>

#include "app/confined_protocol.h"
#include "reports/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hikyaku;
  constexpr std::size_t kMost = 4096;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto note = app::decode_note(bytes)) {
    auto again = app::decode_note(app::encode_note(*note));
    if (!again || again->job != note->job) std::abort();
  }
  app::decode_job_header(bytes);
  app::ConfinedReply whole(kMost), pieces(kMost);
  bool well = whole.feed(bytes).has_value();
  bool pieces_well = true;
  for (std::size_t at = 0, step = 1; at < size && pieces_well; at += step, step = step % 7 + 1)
    pieces_well = pieces.feed(bytes.substr(at, step)).has_value();
  if (well != pieces_well || (well && whole.complete() != pieces.complete())) std::abort();
  if (!well || !whole.complete()) return 0;
  if (auto answer = whole.take()) {
    if (answer->size() > kMost || *answer != *pieces.take()) std::abort();
    if (auto digest = reports::decode_digest(*answer))
      if (digest->rows.size() > kMost) std::abort();
  }
  return 0;
}
