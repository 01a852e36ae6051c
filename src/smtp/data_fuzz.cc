// DATA: the same message wherever it is cut, no bare CR or LF gets through, and what was taken can
// be sent on and comes back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "smtp/data.h"

namespace {
using namespace hikyaku::smtp;

struct Outcome {
  bool done = false;
  DataProblem problem = DataProblem::None;
  std::size_t used = 0;
  std::string content;
};

Outcome decode(std::string_view bytes, std::size_t step) {
  DataDecoder decoder(2000);
  Outcome outcome;
  while (outcome.used < bytes.size() && !decoder.done())
    outcome.used += decoder.feed(bytes.substr(outcome.used, step), outcome.content);
  outcome.done = decoder.done();
  outcome.problem = decoder.problem();
  if (outcome.problem != DataProblem::None) outcome.content.clear();
  return outcome;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto whole = decode(bytes, size + 1);
  auto cut = decode(bytes, 1);
  if (whole.done != cut.done || whole.problem != cut.problem || whole.used != cut.used ||
      whole.content != cut.content)
    std::abort();
  if (!whole.done || whole.problem != DataProblem::None) return 0;
  DataEncoder encoder;
  std::string wire;
  if (!encoder.feed(whole.content, wire) || !encoder.finish(wire)) std::abort();
  auto again = decode(wire, wire.size() + 1);
  if (!again.done || again.content != whole.content || again.used != wire.size()) std::abort();
  return 0;
}
