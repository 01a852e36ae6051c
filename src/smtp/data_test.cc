#include "smtp/data.h"

#include <doctest/doctest.h>

#include "testing/every_split.h"

namespace hikyaku::smtp {
namespace {

using hikyaku::testing::every_split;
using namespace std::string_literals;

struct Outcome {
  bool done = false;
  DataProblem problem = DataProblem::None;
  std::string content;  ///< only when there is no problem
  std::string rest;     ///< what stands behind the end
  std::uint64_t longest = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome decode(std::initializer_list<std::string_view> pieces, std::uint64_t max_size = 1000) {
  DataDecoder decoder(max_size);
  Outcome outcome;
  for (auto piece : pieces) {
    auto used = decoder.done() ? 0 : decoder.feed(piece, outcome.content);
    if (!decoder.done()) CHECK(used == piece.size());
    outcome.rest += piece.substr(used);
  }
  outcome.done = decoder.done();
  outcome.problem = decoder.problem();
  outcome.longest = decoder.content().longest_line();
  if (outcome.problem == DataProblem::None) return outcome;
  outcome.content.clear();
  outcome.longest = 0;
  return outcome;
}

TEST_CASE("DATA, wherever it is cut") {
  struct Row {
    std::string bytes;
    Outcome expected;
  };
  auto good = [](std::string content, std::string rest = "") {
    return Outcome{true, DataProblem::None, std::move(content), std::move(rest)};
  };
  auto refused = [](DataProblem problem) { return Outcome{true, problem, "", ""}; };
  auto open = [](std::string content) {
    return Outcome{false, DataProblem::None, std::move(content), ""};
  };
  for (const auto& [bytes, expected] : {
           Row{"a: b\r\n\r\nc\r\n.\r\n", good("a: b\r\n\r\nc\r\n")},
           Row{".\r\n", good("")},
           Row{".\r\nQUIT\r\n", good("", "QUIT\r\n")},
           Row{"x\r\n.\r\n\r\n", good("x\r\n", "\r\n")},
           Row{"..\r\n.\r\n", good(".\r\n")},
           Row{"...x\r\n.\r\n", good("..x\r\n")},
           Row{".x\r\n.\r\n", good("x\r\n")},  // not doubled: the dot goes (§4.5.2)
           Row{"a.b\r\n.\r\n", good("a.b\r\n")},
           Row{"a.\r\n.\r\n", good("a.\r\n")},
           Row{"\r\n\r\n.\r\n", good("\r\n\r\n")},
           Row{"x\r\n.", open("x\r\n")},
           Row{"x\r\n.\r", open("x\r\n")},
           Row{"x", open("x")},
           // Smuggling: nothing but CRLF . CRLF ends it, and the message is refused.
           Row{"x\n.\r\ny\r\n.\r\n", refused(DataProblem::BareLf)},
           Row{"x\n.\ny\r\n.\r\n", refused(DataProblem::BareLf)},
           Row{"x\r\n.\ny\r\n.\r\n", refused(DataProblem::BareLf)},
           Row{"x\r.\r\ny\r\n.\r\n", refused(DataProblem::BareCr)},
           Row{"x\r\n.\ry\r\n.\r\n", refused(DataProblem::BareCr)},
           Row{"x\r\n.\r\r\ny\r\n.\r\n", refused(DataProblem::BareCr)},
           Row{"x\r.\ry\r\n.\r\n", refused(DataProblem::BareCr)},
           Row{"x\r\r\n.\r\n", refused(DataProblem::BareCr)},
           Row{"\n.\r\nx\r\n.\r\n", refused(DataProblem::BareLf)},
           Row{"x\0y\r\n.\r\n"s, refused(DataProblem::Nul)},
           Row{"x\n\0\r\n.\r\n"s, refused(DataProblem::BareLf)},  // the first one is told
           Row{"\0\r\n.\r\n"s, refused(DataProblem::Nul)},
       }) {
    CAPTURE(bytes);
    auto whole = decode({bytes});
    auto without_length = whole;
    without_length.longest = 0;
    CHECK(without_length == expected);
    every_split(bytes, [&](std::string_view first, std::string_view second) {
      CHECK(decode({first, second}) == whole);
    });
    DataDecoder decoder(1000);
    std::string content;
    std::size_t used = 0;
    while (used < bytes.size() && !decoder.done())
      used += decoder.feed(std::string_view(bytes).substr(used, 1), content);
    CHECK(decoder.done() == expected.done);
    CHECK(decoder.problem() == expected.problem);
    if (expected.problem == DataProblem::None) CHECK(content == expected.content);
    CHECK(bytes.substr(used) == expected.rest);
  }
}

TEST_CASE("size limit and line length") {
  CHECK(decode({"1234567890\r\n.\r\n"}, 12).problem == DataProblem::None);
  CHECK(decode({"1234567890\r\n.\r\n"}, 11).problem == DataProblem::TooLarge);
  CHECK(decode({"1234567890\r\n.\r\n"}, 11).done);
  CHECK(decode({"1234567890\r\n123\r\n.\r\n"}).longest == 10);
  CHECK(decode({std::string(900, 'x') + "\r\n.\r\n"}).longest == 900);
  DataDecoder endless(1000);
  std::string content;
  std::string megabyte(1 << 20, 'x');
  int fed = 0;
  for (; fed < 100 && !endless.hopeless(); ++fed) endless.feed(megabyte, content);
  CHECK(fed == 65);
  CHECK(content.size() <= 1000);
}

TEST_CASE("8-bit content is noted") {
  DataDecoder decoder(1000);
  std::string content;
  decoder.feed("abc\r\n", content);
  CHECK(!decoder.content().has_8bit());
  decoder.feed("\xC3\xBC\r\n.\r\n", content);
  CHECK(decoder.content().has_8bit());
}

TEST_CASE("BDAT chunks") {
  BdatDecoder decoder(1000, ContentCheck::Kind::Text);
  std::string content;
  decoder.begin_chunk(5, false);
  CHECK(decoder.feed("ab\r\n.QUIT", content) == 5);
  CHECK(decoder.chunk_done());
  CHECK(!decoder.done());
  decoder.begin_chunk(3, false, false);  // refused
  CHECK(decoder.feed("zzz", content) == 3);
  decoder.begin_chunk(2, true);
  CHECK(decoder.feed("\r", content) == 1);
  CHECK(!decoder.chunk_done());
  CHECK(decoder.feed("\nQUIT\r\n", content) == 1);
  CHECK(decoder.done());
  CHECK(content == "ab\r\n.\r\n");
  CHECK(decoder.problem() == DataProblem::None);
}

TEST_CASE("BDAT content is checked, too") {
  auto problem = [](std::string_view bytes, ContentCheck::Kind kind, std::uint64_t max_size = 100) {
    BdatDecoder decoder(max_size, kind);
    std::string content;
    decoder.begin_chunk(bytes.size(), true);
    decoder.feed(bytes, content);
    CHECK(decoder.done());
    return decoder.problem();
  };
  using enum ContentCheck::Kind;
  CHECK(problem("a\nb", Text) == DataProblem::BareLf);
  CHECK(problem("a\r", Text) == DataProblem::BareCr);  // the very end
  CHECK(problem("a\nb\r\0"s, Binary) == DataProblem::None);
  CHECK(problem("abc", Binary, 2) == DataProblem::TooLarge);
  BdatDecoder monstrous(100, Text);
  monstrous.begin_chunk(UINT64_MAX, false);
  CHECK(monstrous.hopeless());
  BdatDecoder empty(100, Text);
  empty.begin_chunk(0, true);
  CHECK(empty.done());
}

TEST_CASE("a message as DATA, wherever it is cut, and back") {
  struct Row {
    std::string_view message, wire;
  };
  for (const auto& row : {
           Row{"", ".\r\n"},
           Row{"a\r\n", "a\r\n.\r\n"},
           Row{"a", "a\r\n.\r\n"},  // the last line lacks its end
           Row{".", "..\r\n.\r\n"},
           Row{".\r\n..\r\na.b\r\n", "..\r\n...\r\na.b\r\n.\r\n"},
           Row{"a\r\n\r\n.x\r\n", "a\r\n\r\n..x\r\n.\r\n"},
       }) {
    CAPTURE(row.message);
    every_split(row.message, [&](std::string_view first, std::string_view second) {
      DataEncoder encoder;
      std::string out;
      CHECK(encoder.feed(first, out));
      CHECK(encoder.feed(second, out));
      CHECK(encoder.finish(out));
      CHECK(out == row.wire);
      CHECK(decode({out}).content.starts_with(row.message));
    });
  }
  for (std::string_view message : {"a\nb\r\n", "a\rb\r\n", "a\r", "\n", "\r\r\n"}) {
    CAPTURE(message);
    every_split(message, [](std::string_view first, std::string_view second) {
      DataEncoder encoder;
      std::string out;
      bool taken = encoder.feed(first, out) && encoder.feed(second, out) && encoder.finish(out);
      CHECK(!taken);
      CHECK(out.find("\r\n.\r\n") == std::string::npos);
    });
  }
}

}  // namespace
}  // namespace hikyaku::smtp
