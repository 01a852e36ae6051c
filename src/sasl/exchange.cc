#include "sasl/exchange.h"

#include "base/base64.h"

namespace hikyaku::sasl {

Response decode_response(std::string_view line, std::size_t max_length) {
  if (line == "*") return {Response::Kind::Cancelled, {}};
  if (line.size() > max_length) return {};
  auto bytes = base64_decode(line);
  if (!bytes) return {};
  return {Response::Kind::Bytes, *std::move(bytes)};
}

Response decode_initial_response(std::string_view word, std::size_t max_length) {
  if (word == "=") return {Response::Kind::Bytes, {}};
  // A missing word is no initial response at all; who calls this has one.
  if (word.empty() || word == "*") return {};
  return decode_response(word, max_length);
}

}  // namespace hikyaku::sasl
