#include "mime/parameter.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

std::string show(const std::vector<Parameter>& parameters) {
  std::string result;
  for (auto& p : parameters) result += ";" + p.name + "=" + p.text();
  return result;
}

std::string show(std::string_view value) {
  auto type = parse_content_type(value);
  return type.type + "/" + type.subtype + show(type.parameters);
}

TEST_CASE("content types, good and bad") {
  struct Row {
    std::string_view value, shown;
  };
  for (auto& row : std::initializer_list<Row>{
           {" text/plain", "text/plain"},
           {"TEXT/HTML; CharSet=UTF-8", "text/html;charset=UTF-8"},
           {"text / plain ; charset = us-ascii", "text/plain;charset=us-ascii"},
           {"text/plain; charset=us-ascii (Plain text)", "text/plain;charset=us-ascii"},
           {"(c) text(d)/(e)plain(f); (g) a=(h)b", "text/plain;a=b"},
           {"text/plain; charset=\"iso-8859-1\"; format=flowed",
            "text/plain;charset=iso-8859-1;format=flowed"},
           {"multipart/mixed; boundary=\"a \\\"b\\\\\"", "multipart/mixed;boundary=a \"b\\"},
           {"multipart/mixed;\r\n\tboundary=\"a\r\n b\"", "multipart/mixed;boundary=a b"},
           {"multipart/mixed; boundary=a=b", "multipart/mixed;boundary=a=b"},
           {"text/plain; name=foo bar.txt", "text/plain;name=foo bar.txt"},  // quotes forgotten
           {"text/plain; charset=utf-8 name=x", "text/plain;charset=utf-8;name=x"},  // semicolon
           {"text/plain charset=utf-8", "text/plain;charset=utf-8"},
           {"text/plain; a=\"b\" c=\"d\"", "text/plain;a=b;c=d"},
           {"text/plain;; ; a=b;", "text/plain;a=b"},
           {"text/plain; a=\"never closed", "text/plain;a=never closed"},
           {"text/plain; =x; a=b", "text/plain;a=b"},
           {"text/plain; a", "text/plain"},
           {"text", "text/plain"},
           {"", "text/plain"},
           {"/plain; charset=x", "text/plain;charset=x"},
           {"application/x-y+z.w; q=\"\"", "application/x-y+z.w;q="},
           // RFC 2231 §3, §4
           {"message/external-body; access-type=URL; URL*0=\"ftp://\";\r\n URL*1=\"a/b\"",
            "message/external-body;access-type=URL;url=ftp://a/b"},
           {"application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "application/x-stuff;title=This is ***fun***"},
           {"a/b; title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n "
            "title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
            "a/b;title=This is even more ***fun*** isn't it!"},
           {"a/b; t*1=b; t*0=a; t*2=c", "a/b;t=abc"},                          // any order
           {"a/b; n=plain.txt; n*=utf-8''%E3%81%82.txt", "a/b;n=\u3042.txt"},  // the better one
           {"a/b; n*=utf-8''%E3%81%82.txt; n=plain.txt", "a/b;n=\u3042.txt"},
           {"a/b; n*=iso-2022-jp''%1B$B$%22%1B(B.txt", "a/b;n=\u3042.txt"},
           {"a/b; n*0*=utf-8''%E3%81; n*1*=%82", "a/b;n=\u3042"},  // split character
           {"a/b; n*=broken%zz", "a/b;n=broken%zz"},
           // RFC 2047 where it is forbidden
           {"a/b; name=\"=?utf-8?B?44GC?=.txt\"", "a/b;name=\u3042.txt"},
           {"a/b; name==?utf-8?Q?=E3=81=82?=", "a/b;name=\u3042"},
           {"a/b; name*0=\"=?utf-8?B?44\"; name*1=\"GC?=\"", "a/b;name=\u3042"},
           {"a/b; name=\"\xE3\x81\x82.txt\"", "a/b;name=\u3042.txt"},  // raw UTF-8
       }) {
    CAPTURE(row.value);
    CHECK(show(row.value) == row.shown);
  }
}

TEST_CASE("dispositions") {
  auto attachment = parse_parameterized(" attachment; filename=\"a.txt\"; size=12");
  CHECK(attachment.value == "attachment");
  CHECK(attachment.get("FileName") == "a.txt");
  CHECK(attachment.get("size") == "12");
  CHECK(attachment.find("x") == nullptr);
  CHECK(parse_parameterized("inline").value == "inline");
  CHECK(parse_parameterized("filename=a.txt").value == "");
  CHECK(parse_parameterized("filename=a.txt").get("filename") == "a.txt");
}

TEST_CASE("limits hold") {
  std::string many = "a/b";
  for (int i = 0; i < 1000; ++i) many += "; p" + std::to_string(i) + "=x";
  CHECK(parse_content_type(many).parameters.size() == 200);
  CHECK(parse_content_type(many, {.count = 3}).parameters.size() == 3);
  CHECK(parse_content_type("a/b; c=" + std::string(100, 'x'), {.bytes = 17}).get("c") ==
        "xxxxxxxxxx");
}

TEST_CASE("file names are made safe") {
  struct Row {
    std::string_view name, safe;
  };
  for (auto& row : std::initializer_list<Row>{
           {"report.pdf", "report.pdf"},
           {"../../etc/passwd", "passwd"},
           {"C:\\Temp\\x.exe", "x.exe"},
           {"..", ""},
           {".bashrc", "bashrc"},
           {"a\r\nb\x01.txt", "ab.txt"},
           {"con. ", "con"},
           {"\u202Etxt.exe", "txt.exe"},
           {"\u8ACB\u6C42\u66F8.pdf", "\u8ACB\u6C42\u66F8.pdf"},
           {"a<b>|c?.txt", "abc.txt"},
       }) {
    CAPTURE(row.name);
    CHECK(safe_file_name(row.name) == row.safe);
  }
  CHECK(safe_file_name(std::string(1000, 'x')).size() == 200);
}

TEST_CASE("written parameters read back the same, on short lines") {
  for (std::string value : {"utf-8", "a b", "say \"hi\" \\ there", "\u8ACB\u6C42\u66F8.pdf", "",
                            "\u3042\u3044\u3046\u3048\u304A\u304B\u304D\u304F\u3051\u3053\u3055"
                            "\u3057\u3059\u305B.txt"}) {
    std::string field = "attachment";
    append_parameter(field, "filename", value);
    CAPTURE(field);
    auto parsed = parse_parameterized(field);
    auto* read = parsed.find("filename");
    REQUIRE(read);
    CHECK(read->text() == value);
    CHECK(is_ascii(field));
    for (auto line : split(field, '\n')) CHECK(line.size() <= 80);
  }
}

}  // namespace
}  // namespace hikyaku::mime
