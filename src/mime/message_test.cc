#include "mime/message.h"

#include <doctest/doctest.h>

#include "base/text.h"
#include "mime/digest.h"

namespace hikyaku::mime {
namespace {

/// The structure in one line: type/subtype, for a leaf its body, for a composite its parts.
std::string show(const Message& message, std::uint32_t index) {
  auto& part = message.parts[index];
  std::string result(part.shown_type());
  result += '/';
  result += part.shown_subtype();
  if (part.kind == PartKind::Leaf) return result + '=' + printable(message.body(part));
  result += '(';
  for (auto child = part.first_child; child != kNoPart; child = message.parts[child].next_sibling) {
    if (result.back() != '(') result += ' ';
    result += show(message, child);
  }
  return result + ')';
}

/// A message written with LF, parsed with CRLF.
std::string show(std::string_view lf) {
  std::string crlf;
  for (char c : lf) {
    if (c == '\n') crlf += '\r';
    crlf += c;
  }
  return show(parse_message(crlf), 0);
}

bool has(const Message& message, Defect defect) {
  for (auto& part : message.parts)
    if (part.has(defect)) return true;
  return false;
}

TEST_CASE("structures, good and broken") {
  struct Row {
    std::string_view lf, shown;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", "text/plain="},
           {"A: b\n\nhello", "text/plain=hello"},
           {"A: b\n", "text/plain="},
           {"no header\n", "text/plain=no header\\r\\n"},
           {"Content-Type: image/gif\n\nx", "image/gif=x"},
           {"Content-Type: rubbish\n\nx", "text/plain=x"},
           {"Content-Type: text/html\nContent-Type: text/plain\n\nx", "text/html=x"},
           {"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b\n\ntwo\n--b--\nepi",
            "multipart/mixed(text/plain=one text/plain=two)"},
           // delimiters: space behind, words behind, nothing between
           {"Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\none\n--b xy\n\ntwo\n--b-- z\n",
            "multipart/mixed(text/plain=one text/plain=two)"},
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--\n",
            "multipart/mixed(text/plain= text/plain=)"},
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/gif\n--b--\n",
            "multipart/mixed(image/gif=)"},
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bc\n--b\n\nx\n--b--\n",
            "multipart/mixed(text/plain=--bc text/plain=x)"},
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n one --b\n --b\n--b--\n",
            "multipart/mixed(text/plain= one --b\\r\\n --b)"},
           // missing ends
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n",
            "multipart/mixed(text/plain=one\\r\\n)"},
           {"Content-Type: multipart/mixed; boundary=a\n\n--a\n"
            "Content-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--a\n\ntwo\n--a--\n",
            "multipart/mixed(multipart/alternative(text/plain=one) text/plain=two)"},
           // the outer boundary begins like the inner one, and the other way round
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
            "Content-Type: multipart/mixed; "
            "boundary=b-1\n\n--b-1\n\none\n--b-1--\n--b\n\ntwo\n--b--",
            "multipart/mixed(multipart/mixed(text/plain=one) text/plain=two)"},
           {"Content-Type: multipart/mixed; boundary=b-1\n\n--b-1\n"
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b-1\n\ntwo\n--b-1--",
            "multipart/mixed(multipart/mixed(text/plain=one) text/plain=two)"},
           {"Content-Type: multipart/mixed; boundary=b--\n\n--b--\n\none\n--b----\n",
            "multipart/mixed(text/plain=one)"},
           // both the same: the inner one is closed first
           {"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--",
            "multipart/mixed(multipart/mixed(text/plain=one) text/plain=two)"},
           // no parts, no boundary: what is there is text
           {"Content-Type: multipart/mixed; boundary=b\n\ntext\n", "text/plain=text\\r\\n"},
           {"Content-Type: multipart/mixed; boundary=b\n\ntext\n--b--\n",
            "text/plain=text\\r\\n--b--\\r\\n"},
           {"Content-Type: multipart/mixed\n\ntext", "text/plain=text"},
           {"Content-Type: multipart/mixed; boundary=\"\"\n\ntext", "text/plain=text"},
           // messages in messages
           {"Content-Type: message/rfc822\n\nA: b\n\nin", "message/rfc822(text/plain=in)"},
           {"Content-Type: message/rfc822\n\n", "message/rfc822(text/plain=)"},
           {"Content-Type: message/global\n\nA: b\n\nin", "message/global(text/plain=in)"},
           {"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogYgoKaW4=",
            "application/octet-stream=QTogYgoKaW4="},
           {"Content-Type: message/delivery-status\n\nA: b\n\nC: d\n",
            "message/delivery-status=A: b\\r\\n\\r\\nC: d\\r\\n"},
           {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\none\n--b\n"
            "Content-Type: text/plain\n\ntwo\n--b--\n",
            "multipart/digest(message/rfc822(text/plain=one) text/plain=two)"},
           {"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: "
            "quoted-printable\n\n--b\n\none\n--b--\n",
            "multipart/mixed(text/plain=one)"},
           {"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n\none\n--ab--\n",
            "multipart/mixed(text/plain=one)"},
       }) {
    CAPTURE(row.lf);
    CHECK(show(row.lf) == row.shown);
    // With LF alone the structure is the same.
    auto lf = show(parse_message(row.lf), 0);
    std::string crlf(row.shown);
    for (auto at = crlf.find("\\r\\n"); at != crlf.npos; at = crlf.find("\\r\\n", at))
      crlf.erase(at, 2);
    CHECK(lf == crlf);
  }
}

TEST_CASE("places, octets and lines") {
  std::string_view bytes =
      "Content-Type: multipart/mixed; boundary=b\r\n"  // 43
      "\r\n"                                           // 45
      "--b\r\n"                                        // 50
      "X: y\r\n"                                       // 56
      "\r\n"                                           // 58
      "one\r\n"                                        // 63
      "two\r\n"                                        // 68, the line end is the delimiter's
      "--b\r\n"                                        // 73
      "\r\n"                                           // 75
      "three\r\n"
      "\r\n"
      "--b--\r\n";
  auto message = parse_message(bytes);
  REQUIRE(message.parts.size() == 3);
  auto& root = message.parts[0];
  CHECK(root.header == Range{0, 45});
  CHECK(root.header_lines == 2);
  CHECK(root.body.end() == bytes.size());
  CHECK(root.body_lines == 10);
  auto& first = message.parts[1];
  CHECK(first.header == Range{50, 8});
  CHECK(first.body == Range{58, 8});
  CHECK(first.body_lines == 2);
  auto& second = message.parts[2];
  CHECK(second.header == Range{73, 2});
  CHECK(message.body(second) == "three\r\n");
  CHECK(second.body_lines == 1);
  CHECK(message.number(0) == "");
  CHECK(message.number(2) == "2");
}

TEST_CASE("fields of a part") {
  auto message = parse_message(
      "content-type: text/plain; charset=x\r\nContent-ID: <a@b>\r\nCONTENT-DISPOSITION: inline\r\n"
      "Content-Description: d\r\n e\r\nContent-Transfer-Encoding: 8bit\r\nContent-Language: ja\r\n"
      "Content-Location: http://x/\r\nContent-MD5: Q2hlY2s=\r\nContent-ID: <second>\r\n\r\n");
  auto& part = message.root();
  CHECK(part.parameter("charset") == "x");
  CHECK(unfold(part.id) == "<a@b>");
  CHECK(unfold(part.disposition) == "inline");
  CHECK(unfold(part.description) == "d e");
  CHECK(part.encoding == Encoding::EightBit);
  CHECK(unfold(part.language) == "ja");
  CHECK(unfold(part.location) == "http://x/");
  CHECK(unfold(part.md5) == "Q2hlY2s=");
}

TEST_CASE("defects are named") {
  CHECK(has(parse_message("A: b\r\nText without a colon\r\n\r\nx"), Defect::NoHeaderEnd));
  CHECK(has(parse_message("A: b\r\njunk\r\nB: c\r\n\r\n"), Defect::JunkInHeader));
  CHECK(has(parse_message("Content-Type: multipart/x; boundary=b\n\n--b\n\n"),
            Defect::NoEndBoundary));
  CHECK(has(parse_message("Content-Type: x\n\n"), Defect::BadContentType));
  CHECK_FALSE(has(parse_message("A: b\r\n\r\n"), Defect::NoHeaderEnd));
  for (auto defect : all_defects()) CHECK_FALSE(describe(defect).empty());
}

TEST_CASE("limits make leaves, and lose no bytes") {
  std::string deep;
  for (int i = 0; i < 300; ++i) {
    auto boundary = "b" + std::to_string(i);
    deep +=
        "Content-Type: multipart/mixed; boundary=" + boundary + "\r\n\r\n--" + boundary + "\r\n";
  }
  auto message = parse_message(deep);
  CHECK(message.parts.size() == 65);
  CHECK(has(message, Defect::DepthLimit));
  CHECK(message.parts.back().body.end() == deep.size());
  CHECK(message.parts.back().shown_type() == "application");

  std::string messages;
  for (int i = 0; i < 300; ++i) messages += "Content-Type: message/rfc822\r\n\r\n";
  CHECK(parse_message(messages).parts.size() == 65);

  std::string wide = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 30; ++i) wide += "--b\r\n\r\nx\r\n";
  Limits limits;
  limits.parts = 10;
  auto limited = parse_message(wide, limits);
  CHECK(limited.parts.size() == 10);
  CHECK(has(limited, Defect::PartLimit));
  CHECK(limited.root().body.end() == wide.size());

  std::string long_header;
  for (int i = 0; i < 200; ++i) long_header += "X: y\r\n";
  long_header += "Content-Type: text/html\r\n\r\nx";
  limits.header_fields = 100;
  auto header = parse_message(long_header, limits);
  CHECK(has(header, Defect::HeaderLimit));
  CHECK(header.body(header.root()) == "x");
  CHECK(header.root().shown_subtype() == "plain");
}

TEST_CASE("sections are found from the digest alone") {
  std::string_view bytes =
      "Subject: outer\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npre\r\n"
      "--a\r\nX: 1\r\n\r\none\r\n"
      "--a\r\nContent-Type: message/rfc822\r\n\r\n"
      "Subject: inner\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
      "--b\r\nX: 2.1\r\n\r\nplain\r\n--b\r\nX: 2.2\r\n\r\nrich\r\n--b--\r\n"
      "--a\r\nContent-Type: message/rfc822\r\nX: 3\r\n\r\nSubject: single\r\n\r\ntext\r\n--a--\r\n";
  Digest digest(parse_message(bytes));
  auto decoded = Digest::decode(digest.encode());
  REQUIRE(decoded);
  CHECK(*decoded == digest);
  CHECK(digest.size() == bytes.size());

  using What = Section::What;
  struct Row {
    std::vector<std::uint32_t> path;
    What what;
    std::string_view found;  // "-": NIL
  };
  for (auto& row : std::initializer_list<Row>{
           {{}, What::Content, bytes},
           {{}, What::Header, bytes.substr(0, bytes.find("pre"))},
           {{}, What::Text, bytes.substr(bytes.find("pre"))},
           {{}, What::Mime, "-"},
           {{1}, What::Content, "one"},
           {{1}, What::Mime, "X: 1\r\n\r\n"},
           {{1}, What::Header, "-"},
           {{1}, What::Text, "-"},
           {{1, 1}, What::Content, "-"},
           {{2}, What::Mime, "Content-Type: message/rfc822\r\n\r\n"},
           {{2},
            What::Header,
            "Subject: inner\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"},
           {{2, 1}, What::Content, "plain"},
           {{2, 2}, What::Content, "rich"},
           {{2, 2}, What::Mime, "X: 2.2\r\n\r\n"},
           {{2, 3}, What::Content, "-"},
           {{2, 2, 1}, What::Content, "-"},
           {{3}, What::Content, "Subject: single\r\n\r\ntext"},
           {{3}, What::Mime, "Content-Type: message/rfc822\r\nX: 3\r\n\r\n"},
           {{3}, What::Header, "Subject: single\r\n\r\n"},
           {{3}, What::Text, "text"},
           {{3, 1}, What::Content, "text"},
           {{3, 1}, What::Mime, "Subject: single\r\n\r\n"},
           {{3, 2}, What::Content, "-"},
           {{3, 1, 1}, What::Content, "-"},
           {{4}, What::Content, "-"},
           {{0}, What::Content, "-"},
       }) {
    CAPTURE(row.path.size());
    CAPTURE(row.found);
    auto range = decoded->find({row.path, row.what});
    CHECK(range.has_value() == (row.found != "-"));
    if (range) CHECK(bytes.substr(range->offset, range->size) == row.found);
  }

  // The same with fields put in front by the delivery.
  std::string prefix = "Return-Path: <>\r\n";
  auto prefixed = digest.with_prefix(prefix.size());
  CHECK(prefixed == Digest(parse_message(prefix + std::string(bytes))));
}

TEST_CASE("a single part has number 1, whatever its type") {
  std::string_view bytes = "Subject: x\r\nContent-Type: image/gif\r\n\r\nGIF";
  Digest digest(parse_message(bytes));
  auto range = digest.find({{1}, Section::What::Content});
  REQUIRE(range);
  CHECK(bytes.substr(range->offset, range->size) == "GIF");
  CHECK_FALSE(digest.find({{2}, Section::What::Content}).has_value());
  CHECK_FALSE(digest.find({{1, 1}, Section::What::Content}).has_value());

  std::string_view nested = "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nin";
  Digest outer(parse_message(nested));
  auto inner = outer.find({{1, 1}, Section::What::Content});
  REQUIRE(inner);
  CHECK(nested.substr(inner->offset, inner->size) == "in");
  CHECK(outer.find({{1}, Section::What::Header}).has_value());
}

TEST_CASE("partial ranges end where the section ends") {
  CHECK(partial({10, 100}, 0, 50) == Range{10, 50});
  CHECK(partial({10, 100}, 90, 50) == Range{100, 10});
  CHECK(partial({10, 100}, 200, 50) == Range{110, 0});
  CHECK(partial({10, 100}, 1, UINT64_MAX) == Range{11, 99});
}

TEST_CASE("broken digests are refused") {
  auto good = Digest(parse_message("A: b\r\n\r\nx")).encode();
  CHECK(Digest::decode(good).has_value());
  CHECK(Digest::decode(good + "later fields").has_value());
  for (std::size_t i = 0; i < good.size(); ++i)
    CHECK_FALSE(Digest::decode(std::string_view(good).substr(0, i)).has_value());
  CHECK_FALSE(Digest::decode("\x02").has_value());
  CHECK_FALSE(Digest::decode("\x01\xFF\xFF\xFF\xFF\x0F").has_value());
}

TEST_CASE("many parts take a table of their number, and parameters none") {
  std::string parameters;
  for (int i = 0; i < 200; ++i) parameters += ";p" + std::to_string(i) + "=1";
  for (auto& part : {std::string("--b\n\n"), "--b\nContent-Type: a/b" + parameters + "\n\n"}) {
    std::string bytes = "Content-Type: multipart/mixed; boundary=b\n\n";
    for (int i = 0; i < 5'000; ++i) bytes += part;
    auto message = parse_message(bytes);
    CHECK(message.parts.size() == 5'001);
    CHECK(message.parts.capacity() < 5'200);
  }
  static_assert(sizeof(Part) <= 300);
}

}  // namespace
}  // namespace hikyaku::mime
