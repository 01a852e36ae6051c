// BDAT: content checks do not depend on how chunks and reads are cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "smtp/data.h"

namespace {
using namespace hikyaku::smtp;

DataProblem take(std::string_view bytes, std::size_t chunk, std::size_t step) {
  BdatDecoder decoder(5000, ContentCheck::Kind::Text);
  std::string content;
  do {
    auto piece = bytes.substr(0, chunk);
    bytes.remove_prefix(piece.size());
    decoder.begin_chunk(piece.size(), bytes.empty());
    while (!piece.empty()) piece.remove_prefix(decoder.feed(piece.substr(0, step), content));
  } while (!decoder.done());
  return decoder.problem();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bool refused = take(bytes, size + 1, size + 1) != DataProblem::None;
  if ((take(bytes, 7, 3) != DataProblem::None) != refused) std::abort();
  return 0;
}
