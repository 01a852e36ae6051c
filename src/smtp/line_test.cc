#include "smtp/line.h"

#include <doctest/doctest.h>

#include "testing/every_split.h"

namespace hikyaku::smtp {
namespace {

using hikyaku::testing::every_split;

/// What every line of `bytes` gives: the line, or the code of the reply it deserves.
std::vector<std::string> lines_of(std::initializer_list<std::string_view> pieces,
                                  LineParser parser = LineParser()) {
  std::vector<std::string> lines;
  for (auto piece : pieces) {
    while (!piece.empty()) {
      piece.remove_prefix(parser.feed(piece));
      if (!parser.ready()) continue;
      auto line = parser.take();
      lines.push_back(line ? *line : line.error().to_string().substr(0, 9));
    }
  }
  return lines;
}

TEST_CASE("lines, wherever they are cut") {
  using Lines = std::vector<std::string>;
  struct Row {
    std::string bytes;
    Lines lines;
  };
  using namespace std::string_literals;
  LineParser::Limits small{.command = 20, .auth = 30, .skipped = 100};
  for (const auto& row : {
           Row{"EHLO x\r\nQUIT\r\n", {"EHLO x", "QUIT"}},
           Row{"\r\n", {""}},
           Row{"NOOP", {}},
           Row{"NOOP\n", {"500 5.5.2"}},                                       // bare LF
           Row{"NOOP\nRSET\r\nQUIT\r\n", {"500 5.5.2", "500 5.5.2", "QUIT"}},  // no RSET
           Row{"A\nB\nC\r\n\r\n", {"500 5.5.2", "500 5.5.2", "500 5.5.2", ""}},
           Row{"NO\nOP\r\r\nQUIT\r\n", {"500 5.5.2", "500 5.5.2", "QUIT"}},
           Row{"NO\rOP\r\nQUIT\r\n", {"500 5.5.2", "QUIT"}},  // bare CR, and on
           Row{"NOOP\r\r\nQUIT\r\n", {"500 5.5.2", "QUIT"}},
           Row{"NO\0OP\r\nQUIT\r\n"s, {"500 5.5.2", "QUIT"}},
           Row{"12345678901234567890\r\n", {"12345678901234567890"}},  // the limit
           Row{"123456789012345678901\r\nQUIT\r\n", {"500 5.5.2", "QUIT"}},
           Row{"AUTH PLAIN 12345678901234567890\r\n", {"500 5.5.2"}},
           Row{"auth PLAIN 1234567890123456789\r\n", {"auth PLAIN 1234567890123456789"}},
           Row{std::string(101, 'x') + "\r\n", {"421 4.7.0"}},
       }) {
    CAPTURE(row.bytes);
    every_split(row.bytes, [&](std::string_view first, std::string_view second) {
      auto lines = lines_of({first, second}, LineParser(small));
      lines.resize(std::min(lines.size(), row.lines.size()));
      CHECK(lines == row.lines);
    });
  }
}

TEST_CASE("AUTH responses may be long") {
  LineParser parser({.command = 10, .auth = 30, .skipped = 100});
  parser.expect_auth_response(true);
  CHECK(parser.feed("123456789012345678901234567890\r\n") == 32);
  CHECK(parser.take()->size() == 30);
  parser.feed("1234567890123456789012345678901\r\n");
  CHECK(parser.take().error().status == EnhancedStatus{5, 5, 6});
}

}  // namespace
}  // namespace hikyaku::smtp
