#include <doctest/doctest.h>

#include "http/request.h"
#include "http/response.h"
#include "testing/every_split.h"

namespace http = hikyaku::http;
using Event = http::RequestParser::Event;

namespace {

/// What a parser makes of the pieces: "GET /a?q [body]" for each request, then the status of an
/// error.
std::string outcome(std::initializer_list<std::string_view> pieces, http::RequestLimits limits) {
  http::RequestParser parser(limits);
  std::string seen;
  for (auto piece : pieces) {
    while (true) {
      auto event = parser.next(piece);
      if (event == Event::NeedMore) break;
      if (event == Event::Error) return seen + std::to_string(parser.error().status);
      if (event == Event::Continue) {
        seen += "(continue)";
        continue;
      }
      auto request = parser.take();
      seen += request.method + ' ' + request.path;
      if (!request.query.empty()) seen += '?' + request.query;
      if (!request.body.empty()) seen += " [" + request.body + ']';
      seen += request.keeps_alive() ? " | " : " close | ";
    }
  }
  return seen;
}

constexpr http::RequestLimits kLimits{
    .target = 40, .header = 120, .fields = 4, .body = 10, .chunk_overhead = 60};

void check(std::string_view input, std::string_view expected) {
  CAPTURE(input);
  CHECK(outcome({input}, kLimits) == expected);
  hikyaku::testing::every_split(
      input, [&](auto a, auto b) { CHECK(outcome({a, b}, kLimits) == expected); });
}

}  // namespace

TEST_CASE("requests are read") {
  check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / | ");
  check("GET / HTTP/1.0\r\n\r\n", "GET / close | ");
  check("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / | ");
  check("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", "GET / close | ");
  check("\r\n\r\nGET / HTTP/1.1\r\nHost:a\r\n\r\n", "GET / | ");  // RFC 9112 §2.2
  check("GET /a%20b?q=%20 HTTP/1.1\r\nHost: \r\n\r\n", "GET /a b?q=%20 | ");
  check("GET http://h:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET /p?q | ");  // absolute-form
  check("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET / | ");
  check("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /1 | GET /2 | ");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET", "PUT / [hello] | ");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "PUT / | ");
  check("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n",
        "413");  // 3 + 10 bytes
  check(
      "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 "
      ";x\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n",
      "PUT / [abcde] | ");
  check("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        "(continue)PUT / [x] | ");
  check("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "GET / | ");
}

TEST_CASE("what is not quite a request is refused") {
  check("\r\n\r\n\r\n\r\n\r\n", "400");
  check("GET /\r\n", "400");            // HTTP/0.9
  check("GET  / HTTP/1.1\r\n", "400");  // two spaces
  check("G(T / HTTP/1.1\r\n", "400");   // no token
  check("GET / HTTP/2.0\r\n", "505");
  check("GET / http/1.1\r\n", "400");
  check("EHLO x\r\n", "400");
  check("GET x HTTP/1.1\r\n", "400");  // no path
  check("OPTIONS * HTTP/1.1\r\n", "400");
  check("GET /%0 HTTP/1.1\r\n", "400");
  check("GET /%00 HTTP/1.1\r\n", "400");
  check("GET /a%2fb HTTP/1.1\r\n", "400");
  check("GET /a/%2e%2e/b HTTP/1.1\r\n", "400");
  check("GET /./b HTTP/1.1\r\n", "400");
  check("GET /\x80 HTTP/1.1\r\n", "400");
  check("GET / HTTP/1.1\n", "400");  // bare LF
  check("GET / HTTP/1.1\r\nHost: a\n\r\n", "400");
  check("GET / HTTP/1.1\r\nHost: a\rb\r\n", "400");     // bare CR
  check("GET / HTTP/1.1\r\nHost : a\r\n", "400");       // RFC 9112 §5.1
  check("GET / HTTP/1.1\r\nHost: a\r\n b\r\n", "400");  // folded
  check("GET / HTTP/1.1\r\nHost: a\x01\r\n", "400");
  check("GET / HTTP/1.1\r\nhost\r\n", "400");
  check("GET / HTTP/1.1\r\n\r\n", "400");  // no Host
  check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400");
  check("GET / HTTP/1.1\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n", "431");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "400");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "400");
  check("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", "413");
  check("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501");
  check("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400");
  for (auto size : {"", "x", "0x1", "-1", "1234567890123456"}) {
    std::string head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(head + size + "\r\n", "400");
  }
  check("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "400");
  check("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" +
            std::string(59, 'a') + "\r\n",
        "413");
}

TEST_CASE("limits hold before the end of a line has come") {
  check("GET /" + std::string(110, 'a'), "414");
  check("GET /" + std::string(45, 'a') + " HTTP/1.1\r\n", "414");
  check("GET / HTTP/1.1\r\nHost: " + std::string(120, 'a'), "431");
}

TEST_CASE("responses are written") {
  using namespace std::chrono;
  hikyaku::Time now = sys_days{1994y / November / 6} + 8h + 49min + 37s;
  CHECK(http::format_date(now) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http::format(http::plain(404, "no"), {now, false, false}) ==
        "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n"
        "Connection: close\r\n\r\n404 no\n");
  http::Response evil{.status = 200, .body = "x", .fields = {{"X", "a\r\nSet-Cookie: b"}}};
  auto text = http::format(evil, {now, true, true});
  CHECK(text.find("X: a\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n") != text.npos);
  CHECK(text.ends_with("\r\n\r\n"));  // HEAD: no body
}
