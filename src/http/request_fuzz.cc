#include <cstdint>
#include <cstdlib>

#include "http/request.h"

/// Whatever comes, however it is cut: the same requests or the same refusal.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hikyaku::http::RequestParser;
  hikyaku::http::RequestLimits limits{.target = 200, .header = 600, .fields = 8, .body = 300};
  auto run = [&](std::size_t step) {
    RequestParser parser(limits);
    std::string seen;
    std::string_view all(reinterpret_cast<const char*>(data), size);
    while (true) {
      auto piece = all.substr(0, step);
      all.remove_prefix(piece.size());
      auto event = RequestParser::Event::NeedMore;
      while (true) {
        event = parser.next(piece);
        if (event == RequestParser::Event::NeedMore || event == RequestParser::Event::Error) break;
        if (event == RequestParser::Event::Continue) continue;
        auto request = parser.take();
        if (request.body.size() > limits.body || request.fields.size() > limits.fields)
          std::abort();
        if (!request.path.starts_with('/')) std::abort();
        seen += request.method + request.path + "?" + request.query + "\n" + request.body + "\n";
      }
      if (event == RequestParser::Event::Error) {
        seen += std::to_string(parser.error().status);
        return seen;
      }
      if (all.empty()) return seen;
    }
  };
  if (run(SIZE_MAX) != run(1)) std::abort();
  return 0;
}
