#include "mime/header.h"

#include <doctest/doctest.h>

namespace hikyaku::mime {
namespace {

std::string listing(std::string_view bytes) {
  std::string result;
  for (auto& field : HeaderView(bytes))
    result += std::string(field.name) + "=" + unfold(field.value) + "|";
  return result;
}

TEST_CASE("fields come out of every kind of header") {
  struct Row {
    std::string_view bytes, fields;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", ""},
           {"\r\n", ""},
           {"A: 1\r\nB: 2\r\n\r\nC: body", "A=1|B=2|"},
           {"A: 1\nB: 2\n\nC: body", "A=1|B=2|"},       // bare LF
           {"A: 1\r\n 2\r\n\t3\r\n\r\n", "A=1 2\t3|"},  // folded
           {"A: 1\n 2\n\n", "A=1 2|"},                  // folded with LF
           {"A : 1\r\n\r\n", "A=1|"},                   // RFC 5322 §4.5
           {"A:1", "A=1|"},                             // cut off
           {"A:\r\nB:\r\n", "A=|B=|"},                  // empty
           {"junk\r\nA: 1\r\n\r\n", "=junk|A=1|"},      // no colon
           {" x\r\nA: 1\r\n\r\n", "=x|A=1|"},           // nothing to continue
           {"A: caf\xE9\r\n\r\n", "A=caf\xE9|"},        // 8-bit
           {"A: b\r\n \r\nB: c\r\n\r\n", "A=b|B=c|"},   // a fold of space alone
           {"A: a\rb\r\n\r\n", "A=a b|"},               // bare CR
       }) {
    CAPTURE(row.bytes);
    CHECK(listing(row.bytes) == row.fields);
  }
}

TEST_CASE("raw ranges cover the header without a gap") {
  std::string_view bytes = "From x\nA: 1\r\n  2\r\njunk\r\nB:\n\n";
  std::string all;
  for (auto& field : HeaderView(bytes)) all += field.raw;
  CHECK(all + "\n" == bytes);
}

TEST_CASE("what an mbox puts in front goes up to the first line that is something else") {
  CHECK(mbox_lines_length("A: 1\r\n\r\n") == 0);
  CHECK(mbox_lines_length("From x\r\nA: 1\r\n\r\n") == 8);
  CHECK(mbox_lines_length("From x\r\n>From y\nA: 1\r\n\r\n") == 16);
  CHECK(mbox_lines_length("From x\r\n i=1; pass\r\nA: 1\r\n\r\n") == 20);  // with its folds
  CHECK(mbox_lines_length("From : x\r\nA: 1\r\n\r\n") == 0);               // a field
  CHECK(mbox_lines_length("A: 1\r\nFrom x\r\n\r\n") == 0);
  CHECK(mbox_lines_length("From x") == 6);
  CHECK(mbox_lines_length("\r\nFrom x\r\n") == 0);
  // However much it is; but with no field behind it, it is text.
  std::string many;
  for (int i = 0; i < 500; ++i) many += "From x\r\n";
  CHECK(mbox_separator_length(many + "A: 1\r\n\r\n") == 4000);
  CHECK(mbox_separator_length(many + "\r\nA: 1\r\n\r\n") == 0);
  CHECK(mbox_separator_length("From here on\r\nall is text\r\n") == 0);
  CHECK(mbox_separator_length("A: 1\r\n\r\nFrom x\r\n") == 0);
}

TEST_CASE("what a lenient reader may take for a field") {
  auto value_in = [](std::string_view header) {
    for (auto& field : HeaderView(header))
      if (auto value = lenient_value(field, "Return-Path")) return std::string(*value);
    return std::string("none");
  };
  std::string folds;
  for (int i = 0; i < 500; ++i) folds += "\r\n ";
  CHECK(value_in("Return-Path: <x@a.test>\r\n\r\n") == " <x@a.test>");
  for (std::string name : {"Return-Path" + folds + ":", "Return" + folds + "-Path:"}) {
    CAPTURE(name);
    CHECK(value_in(name + " <x@a.test>\r\n\r\n").starts_with("<x@a.test>"));
  }
  CHECK(value_in("Return-Pat: <x@a.test>\r\n\r\n") == "none");
  CHECK(value_in("Subject: Return-Path: x\r\n\r\n") == "none");
}

TEST_CASE("where the header ends") {
  struct Row {
    std::string_view header, body;
  };
  for (auto& row : std::initializer_list<Row>{
           {"A: 1\r\n\r\n", "body"},
           {"A: 1\n\n", "\nbody"},
           {"\r\n", "body"},
           {"", "Only text, no header at all.\r\nMore.\r\n"},
           {"A: 1\r\n", "Text without an empty line\r\nmore\r\n\r\nand more"},
           {"A: 1\r\njunk\r\nB: 2\r\n\r\n", "body"},
           // folds whose space was stripped
           {"A: 1\r\na\r\nb\r\nc\r\nd\r\ne\r\nSubject: 2\r\n\r\n", "body"},
           {"A: 1\r\n", "a\r\nb\r\nc\r\nd\r\ne\r\nNote: 2\r\n\r\nbody"},
           {"From me Mon Jan  1 00:00:00 2001\nA: 1\n\n", "body"},
           {">From me\nA: 1\n\n", "body"},
           {"A: 1\r\nB: 2", ""},
           {"", ""},
       }) {
    CAPTURE(row.header);
    CHECK(header_length(std::string(row.header) + std::string(row.body)) == row.header.size());
  }
}

TEST_CASE("fields are found and selected by name, whatever the case") {
  HeaderView header("To: a\r\nSUBJECT: one\r\n two\r\nto: b\r\n\r\n");
  CHECK(header.value("Subject") == "one two");
  CHECK(header.value("Cc") == "");
  CHECK_FALSE(header.find("Cc").has_value());
  CHECK(header.find_all("TO").size() == 2);

  std::string_view bytes = "To: a\r\nSUBJECT: one\r\n two\r\nX: y\r\n\r\n";
  CHECK(select_fields(bytes, {"subject", "from"}, Select::Named) == "SUBJECT: one\r\n two\r\n\r\n");
  CHECK(select_fields(bytes, {"subject"}, Select::Others) == "To: a\r\nX: y\r\n\r\n");
}

}  // namespace
}  // namespace hikyaku::mime
