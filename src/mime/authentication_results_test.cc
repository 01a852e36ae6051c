#include "mime/authentication_results.h"

#include <doctest/doctest.h>

#include "base/text.h"

namespace hikyaku::mime {
namespace {

/// "id/1 method=result(comment)[reason] type.name=value, …"
std::string shown(std::string_view value, AuthenticationResultsLimits limits = {}) {
  auto results = parse_authentication_results(value, limits);
  if (!results) return "error";
  auto text = results->authserv_id;
  if (results->version != 1) text += "/" + std::to_string(results->version);
  for (auto& method : results->methods) {
    text += " " + method.name + "=" + method.result;
    if (!method.comment.empty()) text += "(" + method.comment + ")";
    if (!method.reason.empty()) text += "[" + method.reason + "]";
    for (auto& property : method.properties)
      text += " " + property.type + "." + property.name + "=" + property.value;
  }
  return text;
}

TEST_CASE("reading") {
  struct Case {
    std::string_view text, expected;
  };
  for (auto& [text, expected] : std::initializer_list<Case>{
           // The examples of RFC 8601, appendix B, in their forms.
           {" example.org 1; none", "example.org"},
           {" example.com; spf=pass smtp.mailfrom=example.net",
            "example.com spf=pass smtp.mailfrom=example.net"},
           {" example.com;\r\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\r\n\tspf=pass "
            "smtp.mailfrom=example.net",
            "example.com auth=pass(cram-md5) smtp.auth=sender@example.net spf=pass "
            "smtp.mailfrom=example.net"},
           {"example.com; dkim=pass reason=\"good signature\" header.i=@mail-router.example.net; "
            "dkim=fail reason=\"bad signature\" header.i=@newyork.example.com",
            "example.com dkim=pass[good signature] header.i=@mail-router.example.net "
            "dkim=fail[bad signature] header.i=@newyork.example.com"},
           {"foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for "
            "it) fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I "
            "wasn't expecting it) 1362471462",
            "foo.example.net dkim=fail policy.expired=1362471462"},
           // Others.
           {"example.org", "example.org"},
           {"example.org; none;", "error"},
           {"example.org;", "example.org"},
           {"example.org 2; spf/2=pass", "example.org/2 spf=pass"},
           {"\"a b\"; SPF=Pass", "a b spf=pass"},
           {"x; spf=pass smtp.mailfrom=\"a b\"@example.org",
            "x spf=pass smtp.mailfrom=a b@example.org"},
           {"x; spf=pass smtp.mailfrom=", "x spf=pass smtp.mailfrom="},  // met
           {"x; spf=pass smtp.mailfrom=; dkim=none", "x spf=pass smtp.mailfrom= dkim=none"},
           {"x; dmarc=fail action=none header.from=y", "x dmarc=fail header.from=y"},  // met
           {"x; dkim=pass header.b=abc/+= header.d=y", "x dkim=pass header.b=abc/+= header.d=y"},
           {"x; spf=pass (a (nested \\) one) here)", "x spf=pass(a (nested ) one) here)"},
           {"", "error"},
           {"; spf=pass", "error"},
           {"x y; spf=pass", "error"},
           {"x; spf", "error"},
           {"x; =pass", "error"},
           {"x; spf=", "error"},
           {"x; spf=pass smtp.=y", "error"},
           {"x; spf=pass (open", "error"},
           {"x; spf=pass reason=\"open", "error"},
           {"x; spf=pass y", "error"},
       }) {
    CAPTURE(text);
    CHECK(shown(text) == expected);
  }
}

TEST_CASE("reading has limits") {
  CHECK(shown("x; a=b; c=d", {.methods = 1}) == "error");
  CHECK(shown("x; a=b c.d=e f.g=h", {.properties = 1}) == "error");
  CHECK(shown("x; a=b", {.bytes = 5}) == "error");
  CHECK(shown("x; a=b " + std::string(20'000, '(') + std::string(20'000, ')'), {.bytes = 50'000}) !=
        "error");
}

TEST_CASE("what is written is read back") {
  AuthenticationResults results{
      .authserv_id = "mail.example.org",
      .methods = {{.name = "spf",
                   .result = "pass",
                   .properties = {{"smtp", "mailfrom", "anna@example.org"}}},
                  {.name = "dkim",
                   .result = "fail",
                   .reason = "the body was changed: \"odd\"",
                   .comment = "2048-bit (RSA) key",
                   .properties = {{"header", "d", "example.org"},
                                  {"header", "b", "ab/+=="},
                                  {"header", "i", "a;b@example.org"}}}}};
  auto text = write_authentication_results(results);
  CHECK(parse_authentication_results(text) == results);
  for (auto line : split(text, '\n')) CHECK(line.size() < 80);
  CHECK(write_authentication_results({.authserv_id = "x"}) == "x; none");
  CHECK(parse_authentication_results("x; none") == AuthenticationResults{.authserv_id = "x"});
}

TEST_CASE("nothing that a stranger wrote gets out of its place") {
  using namespace std::string_view_literals;
  for (auto value :
       {"a\r\nX: y"sv, "a; dmarc=pass"sv, "a) b"sv, "a\0b"sv, "\xff\xfe"sv, "\""sv, ""sv}) {
    CAPTURE(value);
    AuthenticationResults results{
        .authserv_id = "x",
        .methods = {{.name = "spf",
                     .result = "fail",
                     .reason = std::string(value),
                     .comment = std::string(value),
                     .properties = {{"smtp", "helo", std::string(value)}}}}};
    auto text = write_authentication_results(results);
    auto read = parse_authentication_results(text);
    REQUIRE(read);
    REQUIRE(read->methods.size() == 1);
    CHECK(read->methods[0].result == "fail");
    CHECK(read->methods[0].properties.size() == 1);
    CHECK(text.find("\r\n\t") == text.find("\r\n"));
    CHECK(!text.contains('\0'));
  }
}

TEST_CASE("whatever a lenient reader may take for our name claims it") {
  for (std::string claiming :
       {" mail.example.org; dkim=pass", " MAIL.example.ORG;", " mail.example.org",
        "mail.example.org 1;", " mail.example.org.; x", " mail.example.org/1; x",
        " mail.example.org, x;", " mail.(x)example.org;", " (x) mail.example.org;",
        " (unclosed mail.example.org; x", " \"mail.example.org\";", " \"mail\\.example.org\";",
        "\x0b\x0c mail.example.org;", " mail.\r\n\texample.org;", " other.test mail.example.org;",
        " (;) mail.example.org;", "; mail.example.org; dkim=pass", " ;;\r\n ; mail.example.org;",
        // Programs that decode before they parse.
        " =?utf-8?b?bWFpbC5leGFtcGxlLm9yZw==?=; dkim=pass",
        " =?utf-8?q?mail=2Eexample=2Eorg=3B?= dkim=pass", " =?utf-8?b?bWFpbC4=?= example.org;",
        " =?utf-8?b?PT91dGYtOD9iP2JXRnBiQzVsZUdGdGNHeGxMbTl5Wnc9PT89?=;",
        " =?utf-8?b?"
        "PT91dGYtOD9iP1BUOTFkR1l0T0Q5aVAySlhSbkJpUXpWc1pVZEdkR05IZUd4TWJUbDVXbmM5UFQ4OT89?=;",
        // Other forms of the same characters, and characters that do not show.
        " \uff4dail.example.org;", " ma\u00adil.example.org;", " \u200bmail.example.org;",
        " mail\u3002example\uff61org;", " =?utf-8?q?ma=C2=ADil?=.example.org;",
        // As ARC-Authentication-Results begin.
        " i=1; mail.example.org; dkim=pass", " I = 12 ; (x) mail.example.org;",
        "i=;mail.example.org", " i=1; =?utf-8?b?bWFpbC5leGFtcGxlLm9yZw==?=;"}) {
    CAPTURE(claiming);
    CHECK(claims_authserv_id(claiming, "mail.example.org"));
  }
  for (auto blanks : {std::size_t{4083}, std::size_t{100'000}})
    CHECK(claims_authserv_id(std::string(blanks, ' ') + "mail.example.org; dkim=pass",
                             "mail.example.org"));
  std::string folds;
  for (int i = 0; i < 1361; ++i) folds += "\r\n ";
  CHECK(claims_authserv_id(folds + "mail.example.org; dkim=pass", "mail.example.org"));
  for (std::string foreign :
       {" other.test; dkim=pass header.d=mail.example.org", " mx.mail.example.org;",
        " mail.example.org.evil.test; x", " xmail.example.org;", " mail.example.orgy;", ";", "",
        "; other.test; mail.example.org", " i=1; other.test; mail.example.org",
        " =?utf-8?b?b3RoZXIudGVzdA==?=; mail.example.org", " b\u00fccher.example.org; x",
        " j=1; mail.example.org; dkim=pass", " i=x; mail.example.org"}) {
    CAPTURE(foreign);
    CHECK_FALSE(claims_authserv_id(foreign, "mail.example.org"));
  }
}

TEST_CASE("forged results with our name are removed, others stay") {
  std::string_view header =
      "Received: x\r\n"
      "Authentication-Results: mail.example.org; spf=pass\r\n"
      "authentication-RESULTS : (hi)\r\n MAIL.example.org 1; spf=pass\r\n"
      "Authentication-Results: \"mail.example.org\"; dmarc=pass\r\n"
      "Authentication-Results: (open mail.example.org; dmarc=pass\r\n"
      "Authentication-Results: mail.example.org\r\n"
      "Authentication-Results\r\n : mail.example.org; dmarc=pass\r\n"
      "Authentication-Results\r\n ; mail.example.org; dmarc=pass\r\n"
      "Authentication-Results:\r\n ; mail.example.org; dmarc=pass\r\n"
      "Authentication-Results\r\n mail.example.org; dmarc=pass header.from=a.test (x:y)\r\n"
      "\xEF\xBB\xBF"
      "Authentication-Results: mail.example.org; dmarc=pass\r\n"
      "Authentication-Results\r\n : other.test; dmarc=pass\r\n"
      "Authentication-Results\r\n ; other.test; dmarc=pass\r\n"
      "Authentication-Results: xmail.example.org; spf=pass\r\n"
      "Authentication-Results: other.test; spf=pass (mail.example.org)\r\n"
      "X-Authentication-Results: mail.example.org; spf=pass\r\n"
      "Subject: mail.example.org\r\n"
      "\r\n";
  auto is_claimed = [](const Field& field) {
    return is_claimed_results(field, "mail.example.org");
  };
  CHECK(without_fields(header, is_claimed) ==
        "Received: x\r\n"
        "Authentication-Results\r\n : other.test; dmarc=pass\r\n"
        "Authentication-Results\r\n ; other.test; dmarc=pass\r\n"
        "Authentication-Results: xmail.example.org; spf=pass\r\n"
        "Authentication-Results: other.test; spf=pass (mail.example.org)\r\n"
        "X-Authentication-Results: mail.example.org; spf=pass\r\n"
        "Subject: mail.example.org\r\n"
        "\r\n");
}

}  // namespace
}  // namespace hikyaku::mime
