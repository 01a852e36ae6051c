#include "sasl/saslprep.h"

#include <doctest/doctest.h>

namespace hikyaku::sasl {
namespace {

using namespace std::string_view_literals;

TEST_CASE("texts are prepared as RFC 4013 shows") {
  struct Row {
    std::string_view text;
    std::string_view prepared;
  };
  const Row rows[] = {
      {"I\u00ADX", "IX"},             // RFC 4013 §3: soft hyphen mapped to nothing
      {"user", "user"},               // no change
      {"USER", "USER"},               // case stays
      {"\u00AA", "a"},                // NFKC
      {"\u2168", "IX"},               // NFKC
      {"a b", "a b"},                 // a space is allowed
      {"a\u00A0b", "a b"},            // other spaces become one
      {"\u3000x", " x"},              // ideographic space
      {"Ｈｉｋｙａｋｕ", "Hikyaku"},  // full-width letters
      {"ﾊﾟｽﾜｰﾄﾞ", "パスワード"},      // half-width kana
      {"\u05D0\u05D1", "\u05D0\u05D1"},
      {"e\u0301", "\u00E9"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    for (auto as : {Prepared::Stored, Prepared::Query}) {
      auto prepared = saslprep(row.text, as);
      REQUIRE(prepared);
      CHECK(*prepared == row.prepared);
    }
  }
}

TEST_CASE("prohibited texts are refused") {
  const std::string_view rows[] = {
      "",
      "\x07",          // RFC 4013 §3: control character
      "a\0b"sv,        //
      "\u06271",       // RFC 4013 §3: right to left that ends otherwise
      "\u00AD",        // nothing is left
      "\x7f",          //
      "\xE9",          // Latin-1
      "\xED\xA0\x80",  // a surrogate
      "a\u200Eb",      // changes the direction
      "\uE000",        // private use
      "\U0001FFFE",    // no character
      "\U000E0041",    // a tag
  };
  for (auto text : rows) {
    CAPTURE(text);
    CHECK(!saslprep(text, Prepared::Query));
    CHECK(!saslprep(text, Prepared::Stored));
  }
  CHECK(saslprep(std::string(kMaxPrepared + 1, 'x'), Prepared::Query).error().code ==
        ErrorCode::TooLarge);
}

TEST_CASE("characters younger than Unicode 3.2 are for queries only") {
  CHECK(!saslprep("x\U0001F600", Prepared::Stored));
  CHECK(saslprep("x\U0001F600", Prepared::Query).value() == "x\U0001F600");
}

TEST_CASE("the longest expansion fits") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "\uFDFA";
  auto prepared = saslprep(text, Prepared::Query);
  REQUIRE(prepared);
  CHECK(prepared->size() == 33'000);
}

TEST_CASE("a password that cannot be prepared stays as it is") {
  CHECK(prepare_password(crypto::Secret("\u2168")).reveal() == "IX");
  CHECK(prepare_password(crypto::Secret("caf\xE9")).reveal() == "caf\xE9");
  CHECK(prepare_password(crypto::Secret("tab\there")).reveal() == "tab\there");
  CHECK(prepare_password(crypto::Secret("")).reveal().empty());
}

}  // namespace
}  // namespace hikyaku::sasl
