// How fast message bytes become a multi-line response. Prints GB/s.
#include <ctime>
#include <fmt/core.h>

#include "pop3/replies.h"
#include "pop3/response_parser.h"

int main() {
  using namespace hikyaku::pop3;
  std::string message = "Subject: x\r\n\r\n";
  while (message.size() < 4'000'000) message += std::string(74, 'A') + "\r\n";
  std::string out;
  auto rate = [&](std::string_view what, auto work) {
    auto start = std::clock();
    for (int i = 0; i < 50; ++i) work();
    auto spent = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    fmt::print("{:<20} {:6.2f} GB/s\n", what,
               50.0 * static_cast<double>(message.size()) / spent / 1e9);
  };
  rate("dot-stuffing", [&] {
    out.clear();
    DotStuffer stuffer;
    for (std::size_t at = 0; at < message.size(); at += 65'536) {
      out.clear();
      stuffer.add(std::string_view(message).substr(at, 65'536), out);
    }
    stuffer.finish(out);
  });
  DotStuffer stuffer;
  std::string wire;
  stuffer.add(message, wire);
  stuffer.finish(wire);
  rate("reading it back", [&] {
    out.clear();
    BodyDecoder decoder;
    std::string_view input = wire;
    while (!input.empty()) {
      auto piece = input.substr(0, 65'536);
      input.remove_prefix(piece.size());
      out.clear();
      decoder.next(piece, out);
    }
  });
}
