#include "dns/message.h"

#include <doctest/doctest.h>
#include <string>

namespace hikyaku::dns {
namespace {

using namespace std::string_literals;

std::string header(char code, char answers, char authorities) {
  return "\x12\x34\x81"s + static_cast<char>(0x80 | code) + "\0\x01\0"s + answers + "\0"s +
         authorities + "\0\0"s + "\x04test\0\0\x10\0\x01"s;
}
/// A record of "test" (a pointer to the question's name).
std::string record(char type, const std::string& data) {
  return "\xC0\x0C\0"s + type + "\0\x01\0\0\0\x3C\0"s + static_cast<char>(data.size()) + data;
}
const auto kServer = record(2, "\x02ns\xC0\x0C"s);
const auto kAlias = record(5, "\x01o\xC0\x0C"s);
const auto kText = record(16, "\x01x"s);
const auto kStart = record(6, "\0\0"s + std::string(20, '\0'));

}  // namespace

TEST_CASE("who only names other servers has not answered (RFC 2308 §2.2)") {
  CHECK(is_referral(header(0, 0, 1) + kServer));
  CHECK(is_referral(header(0, 1, 2) + kAlias + kServer + kServer));
  SUBCASE("no record: with SOA, with both, with nothing") {
    CHECK(!is_referral(header(0, 0, 1) + kStart));
    CHECK(!is_referral(header(0, 0, 2) + kStart + kServer));
    CHECK(!is_referral(header(0, 0, 2) + kServer + kStart));
    CHECK(!is_referral(header(0, 0, 0)));
  }
  SUBCASE("an answer, and an error") {
    CHECK(!is_referral(header(0, 1, 1) + kText + kServer));
    CHECK(!is_referral(header(3, 0, 1) + kServer));
    CHECK(!is_referral(header(2, 0, 1) + kServer));
  }
  SUBCASE("cut off anywhere, it says nothing") {
    auto whole = header(0, 1, 1) + kAlias + kServer;
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK(!is_referral(std::string_view(whole).substr(0, size)));
  }
}

}  // namespace hikyaku::dns
