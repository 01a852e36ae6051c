#include "mime/transfer.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "testing/every_split.h"

namespace hikyaku::mime {
namespace {

/// Decodes at every split point and checks that it makes no difference.
std::string decode(std::string_view text, Encoding encoding) {
  auto whole = decode_transfer(text, encoding);
  testing::every_split(text, [&](std::string_view first, std::string_view second) {
    TransferDecoder decoder(encoding);
    std::string out;
    decoder.feed(first, out);
    decoder.feed(second, out);
    decoder.finish(out);
    CHECK(out == whole);
  });
  TransferDecoder decoder(encoding);
  std::string bytewise;
  for (char c : text) decoder.feed({&c, 1}, bytewise);
  decoder.finish(bytewise);
  CHECK(bytewise == whole);
  return whole;
}

TEST_CASE("base64, strict and not") {
  struct Row {
    std::string_view text, bytes;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", ""},
           {"YQ==", "a"},
           {"YWI=", "ab"},
           {"YWJj", "abc"},
           {"YWJjZGVm\r\nZ2hp\r\n", "abcdefghi"},
           {"Y W\tJ\r\nj", "abc"},
           {"YWJ*j!", "abc"},
           {"YQ", "a"},  // padding lost
           {"YWI", "ab"},
           {"Y", ""},
           {"YQ==YQ==", "aa"},  // concatenated
           {"YQ=YQ=", "aa"},
           {"====", ""},
           {"\xFFYWJj\xFE", "abc"},
       }) {
    CAPTURE(row.text);
    CHECK(decode(row.text, Encoding::Base64) == row.bytes);
  }
}

TEST_CASE("quoted-printable, strict and not") {
  struct Row {
    std::string_view text, bytes;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", ""},
           {"plain text\r\n", "plain text\r\n"},
           {"a=3Db=e9=E9", "a=b\xE9\xE9"},
           {"soft=\r\nbreak", "softbreak"},
           {"soft=\nbreak", "softbreak"},
           {"soft= \t\r\nbreak", "softbreak"},  // space added on the way
           {"space  \r\nb", "space\r\nb"},      // rule 3
           {"space \t\nb", "space\nb"},
           {"kept =20\r\nb", "kept  \r\nb"},
           {"a=zzb", "a=zzb"},
           {"a=4", "a=4"},
           {"a=", "a"},
           {"=\r\n=\r\n", ""},
           {"==41", "=A"},
           {"caf\xE9", "caf\xE9"},
           {"a b", "a b"},
           {"a \r b", "a \r b"},  // a CR alone is data
       }) {
    CAPTURE(row.text);
    CHECK(decode(row.text, Encoding::QuotedPrintable) == row.bytes);
  }
}

TEST_CASE("uuencode") {
  CHECK(decode("text\nbegin 644 cat.txt\n#0V%T\n`\nend\nmore\n", Encoding::Uuencode) == "Cat");
  CHECK(decode("begin 644 x\r\n#0V%T\r\n", Encoding::Uuencode) == "Cat");
  CHECK(decode("no begin\n#0V%T\n", Encoding::Uuencode) == "");
  // Lines far too long are cut off at the same place, however they come.
  for (auto length : {250, 300, 600}) {
    auto text = "begin 644" + std::string(static_cast<std::size_t>(length), ' ') + "x" +
                "\n#0V%T\n`\nend\n";
    auto whole = decode(text, Encoding::Uuencode);
    for (std::size_t cut = 0; cut < text.size(); cut += 7) {
      TransferDecoder decoder(Encoding::Uuencode);
      std::string out;
      decoder.feed(std::string_view(text).substr(0, cut), out);
      decoder.feed(std::string_view(text).substr(cut), out);
      decoder.finish(out);
      CAPTURE(cut);
      CHECK(out == whole);
    }
  }
}

TEST_CASE("names of encodings") {
  CHECK(parse_encoding(" BASE64 ") == Encoding::Base64);
  CHECK(parse_encoding("(c) quoted-printable (d)") == Encoding::QuotedPrintable);
  CHECK(parse_encoding("\"7bit\"") == Encoding::SevenBit);
  CHECK(parse_encoding("") == Encoding::SevenBit);
  CHECK(parse_encoding("8bit;") == Encoding::EightBit);
  CHECK(parse_encoding("x-uuencode") == Encoding::Uuencode);
  CHECK(parse_encoding("utf-8") == Encoding::Unknown);
}

TEST_CASE("what is encoded decodes the same, on short lines") {
  std::string all;
  for (int i = 0; i < 2000; ++i) all += static_cast<char>(i * 7 + i / 256);
  for (auto size : {0u, 1u, 2u, 3u, 56u, 57u, 58u, 200u, 2000u}) {
    auto bytes = all.substr(0, size);
    auto base64 = encode_base64_body(bytes);
    CHECK(decode_transfer(base64, Encoding::Base64) == bytes);
    for (auto line : split(base64, '\n')) CHECK(line.size() <= 77);
    auto quoted = encode_quoted_printable(bytes, LineEnds::Binary);
    CHECK(decode_transfer(quoted, Encoding::QuotedPrintable) == bytes);
    for (auto line : split(quoted, '\n')) CHECK(line.size() <= 77);
  }
  CHECK(encode_quoted_printable("a b \nc\r\n.\nFrom x") == "a b=20\r\nc\r\n=2E\r\n=46rom x");
}

TEST_CASE("limits hold") {
  std::string zeros(1'000'000, 'A');
  CHECK(decode_transfer(zeros, Encoding::Base64, 1000).size() == 1000);
  CHECK(decode_transfer(zeros, Encoding::SevenBit, 10) == "AAAAAAAAAA");
}

}  // namespace
}  // namespace hikyaku::mime
