#include "mime/address.h"

#include <doctest/doctest.h>

namespace hikyaku::mime {
namespace {

std::string show(std::string_view value) {
  std::string result;
  for (auto& a : parse_address_list(value)) {
    if (!result.empty()) result += ' ';
    if (a.kind == Address::Kind::GroupStart)
      result += '{' + a.display_name() + ':';
    else if (a.kind == Address::Kind::GroupEnd)
      result += '}';
    else
      result += '[' + a.display_name() + (a.route.empty() ? "" : '|' + a.route) + '|' +
                a.addr_spec() + ']';
  }
  return result;
}

TEST_CASE("address lists, strict, obsolete and broken") {
  struct Row {
    std::string_view value, shown;
  };
  for (auto& row : std::initializer_list<Row>{
           {"", ""},
           {"a@b.example", "[|a@b.example]"},
           {"<a@b.example>", "[|a@b.example]"},
           {"A B <a@b.example>", "[A B|a@b.example]"},
           {"\"A, B\" <a@b.example>, c@d", "[A, B|a@b.example] [|c@d]"},
           {"\"Giant; \\\"Big\\\" Box\" <x@y>", "[Giant; \"Big\" Box|x@y]"},
           {"a@b.example (A B)", "[A B|a@b.example]"},  // the old form of a name
           {"A (c) B <a@b> (d)", "[A B|a@b]"},
           {"J. Q. Public <j@p>", "[J. Q. Public|j@p]"},  // obs-phrase
           {"<@a.test,@b.test:c@d.test>", "[|@a.test,@b.test|c@d.test]"},
           {"Mary <@node.test:mary@example.net>, , jdoe@test . example",
            "[Mary|@node.test|mary@example.net] [|jdoe@test.example]"},
           {"a . b @ c . d", "[|a.b@c.d]"},
           {"\"a b\"@c", "[|\"a b\"@c]"},
           {"\"a\"@c", "[|a@c]"},
           {"a@[127.0.0.1]", "[|a@[127.0.0.1]]"},
           {"a@[IPv6:::1]", "[|a@[IPv6:::1]]"},
           {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            "[Pete|pete@silly.test]"},
           // groups (RFC 6854: also in From)
           {"A Group:Ed <c@a.test>,joe@where.test;", "{A Group: [Ed|c@a.test] [|joe@where.test] }"},
           {"Undisclosed recipients:;", "{Undisclosed recipients: }"},
           {"g:a@b;, c@d", "{g: [|a@b] } [|c@d]"},
           {"g: a@b, c@d", "{g: [|a@b] [|c@d] }"},  // never closed
           {"undisclosed-recipients:", "{undisclosed-recipients: }"},
           // met in the wild
           {"a@b;c@d", "[|a@b] [|c@d]"},
           {"Whomever", "[|Whomever]"},
           {"First Last", "[|First Last]"},
           {"\"a@b\" <a@b>", "[a@b|a@b]"},
           {"a@b <a@b>", "[a@b|a@b]"},
           {"A <a@b> <c@d>", "[A|a@b] [|c@d]"},
           {"A <a@b", "[A|a@b]"},
           {"A <a@b, c@d", "[A|a@b] [|c@d]"},
           {"<>", ""},
           {"MAILER-DAEMON <>", "[MAILER-DAEMON|]"},
           {"\"unclosed <a@b>", "[unclosed|a@b]"},
           {"a@b@c", "[|\"a@b\"@c]"},
           {"A <a@b@c>", "[A|\"a@b\"@c]"},
           {"<<a@b>>", "[|a@b]"},
           {"@", ""},
           {",,,", ""},
           {";", ""},
           {"a..b@c.example", "[|\"a..b\"@c.example]"},
           {"a.@docomo.example", "[|\"a.\"@docomo.example]"},  // Japanese carriers allowed it
           // names decoded
           {"=?UTF-8?B?44GC44GE?= <a@b>", "[\u3042\u3044|a@b]"},
           {"\"=?UTF-8?B?44GC44GE?=\" <a@b>", "[\u3042\u3044|a@b]"},
           {"=?us-ascii?Q?Doe,_John?= <a@b>", "[Doe, John|a@b]"},
           {"=?us-ascii?Q?a@b?= <a@b>", "[a@b|a@b]"},
           {"a@b (=?UTF-8?Q?=E3=81=82?=)", "[\u3042|a@b]"},
           {"\u3042 <\u3044@\u3046.example>", "[\u3042|\u3044@\u3046.example]"},  // RFC 6532
       }) {
    CAPTURE(row.value);
    CHECK(show(row.value) == row.shown);
  }
}

TEST_CASE("limits and hostile lists") {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a@b,";
  CHECK(parse_address_list(many, 10).size() == 10);
  // Linear in what is nested and never closed.
  CHECK(parse_address_list(std::string(200'000, '(')).empty());
  CHECK(parse_address_list(std::string(200'000, '<')).empty());
  CHECK(parse_address_list(std::string(200'000, '"')).size() <= 1);
  std::string words;
  for (int i = 0; i < 50'000; ++i) words += "=?a?q?";
  CHECK(parse_address_list(words).size() == 1);
  CHECK(first_mailbox("g: x@y;").addr_spec() == "x@y");
  CHECK(first_mailbox("").addr_spec() == "");
}

}  // namespace
}  // namespace hikyaku::mime
