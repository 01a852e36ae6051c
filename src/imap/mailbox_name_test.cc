#include "imap/mailbox_name.h"

#include <doctest/doctest.h>
#include <random>

namespace hikyaku::imap {
namespace {

void pair(std::string_view utf8, std::string_view utf7) {
  CAPTURE(utf8);
  CHECK(to_utf7(utf8) == utf7);
  auto back = from_utf7(utf7);
  REQUIRE(back.has_value());
  CHECK(*back == utf8);
}

void bad(std::string_view utf7) {
  CAPTURE(utf7);
  CHECK_FALSE(from_utf7(utf7).has_value());
}

TEST_CASE("modified UTF-7 both ways") {
  pair("", "");
  pair("INBOX", "INBOX");
  pair("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-");  // RFC 3501 §5.1.3
  pair("R&D", "R&-D");
  pair("&", "&-");
  pair("&&", "&-&-");
  pair("Entwürfe", "Entw&APw-rfe");
  pair("送信済み", "&kAFP4W4IMH8-");
  pair("ゴミ箱/仕事", "&MLQw33ux-/&TtVOiw-");
  pair("😀", "&2D3eAA-");  // a surrogate pair
  pair("a\tb", "a&AAk-b");
  pair("é&é", "&AOk-&-&AOk-");
}

TEST_CASE("modified UTF-7 has one spelling per name") {
  bad("R&D");                 // no end
  bad("&AGE-");               // "a" in base64
  bad("&U,BTFw-&ZeVnLIqe-");  // two runs side by side
  bad("&2D0-");               // half a pair
  bad("&3gA-");               // the other half
  bad("&2D3eAABB-");          // ends within a character
  bad("&AOk=-");              // padding
  bad("&AOl-");               // bits left over
  bad("&A-");
  bad("caf\xc3\xa9");  // 8 bits
  bad("a\tb");
}

TEST_CASE("names from commands") {
  auto decoded = [](std::string_view wire, NameForm form = NameForm::Utf7) {
    auto name = decode_name(wire, form);
    return name ? *name : "?";
  };
  CHECK(decoded("inbox") == "INBOX");
  CHECK(decoded("InBox/Sub") == "INBOX/Sub");
  CHECK(decoded("inboxes") == "inboxes");
  CHECK(decoded("Entw&APw-rfe") == "Entwürfe");
  CHECK(decoded("Entwürfe") == "Entwürfe");  // a client that forgot the encoding
  CHECK(decoded("R&D") == "?");
  CHECK(decoded("R&D", NameForm::Utf8) == "R&D");
  CHECK(decoded("\xff", NameForm::Utf8) == "?");
  CHECK(encode_name("Entwürfe", NameForm::Utf8) == "Entwürfe");
  CHECK(encode_name("Entwürfe", NameForm::Utf7) == "Entw&APw-rfe");
}

TEST_CASE("which names may be new") {
  for (std::string_view name : {"a", "a/b", "日本語", "INBOX/x", "a b", "...", "Sent Items", "R&D"})
    CHECK_MESSAGE(check_new_name(name).has_value(), name);
  for (std::string_view name :
       {"", "/a", "a/", "a//b", ".", "a/../b", "a%", "a*", "a\nb", "\x7f", "\xff"})
    CHECK_MESSAGE(!check_new_name(name).has_value(), name);
  CHECK_FALSE(check_new_name(std::string(256, 'x')).has_value());
  std::string deep = "a";
  for (int i = 0; i < 32; ++i) deep += "/a";
  CHECK_FALSE(check_new_name(deep).has_value());
  CHECK(parent_name("a/b/c") == "a/b");
  CHECK(parent_name("a").empty());
}

void match(std::string_view pattern, std::string_view name, bool expected) {
  CAPTURE(pattern);
  CAPTURE(name);
  CHECK(ListPatterns("", {std::string(pattern)}).matches(name) == expected);
}

TEST_CASE("LIST patterns") {
  match("*", "a/b/c", true);
  match("%", "a", true);
  match("%", "a/b", false);
  match("a/%", "a/b", true);
  match("a/%", "a/b/c", false);
  match("a/*", "a/b/c", true);
  match("a*", "a", true);
  match("a", "A", false);
  match("%/%", "a/b", true);
  match("%/%", "a", false);
  match("*b*", "abc", true);
  match("*b", "abc", false);
  match("a%c", "abbbc", true);
  match("a%c", "ab/c", false);
  match("a*c", "ab/c", true);
  match("%%", "a", true);
  match("**", "a/b", true);
  match("*%", "a/b", true);
  match("", "", true);
  match("", "a", false);
  match("inbox", "INBOX", true);
  match("inb*", "INBOX", true);
  match("iNBOX/%", "INBOX/x", true);
  match("%", "INBOX", true);
  match("日%", "日本", true);
  match("%語", "日本語", true);

  CHECK(ListPatterns("a/", {"%"}).matches("a/b"));
  CHECK_FALSE(ListPatterns("a/", {"%"}).matches("b"));
  CHECK(ListPatterns("a/", {"/b"}).matches("b"));
  CHECK(ListPatterns("", {"x", "a"}).matches("a"));
}

TEST_CASE("which branches of the tree need a visit") {
  CHECK(ListPatterns("", {"*"}).may_match_below("a/b"));
  CHECK_FALSE(ListPatterns("", {"%"}).may_match_below("a"));
  CHECK(ListPatterns("", {"a/b/%"}).may_match_below("a"));
  CHECK(ListPatterns("", {"a/b/%"}).may_match_below("a/b"));
  CHECK_FALSE(ListPatterns("", {"a/b/%"}).may_match_below("a/c"));
  CHECK_FALSE(ListPatterns("", {"a/b/%"}).may_match_below("a/b/c"));
}

/// LIST's matching by its definition.
bool plain_match(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  auto rest = pattern.substr(1);
  if (pattern[0] != '*' && pattern[0] != '%')
    return !name.empty() && name[0] == pattern[0] && plain_match(rest, name.substr(1));
  for (std::size_t passed = 0; passed <= name.size(); ++passed) {
    if (plain_match(rest, name.substr(passed))) return true;
    if (pattern[0] == '%' && passed < name.size() && name[passed] == kSeparator) break;
  }
  return false;
}

TEST_CASE("long patterns match as short ones do") {
  std::mt19937 random(1);
  auto some = [&](std::string_view of, std::size_t most) {
    std::string text;
    for (auto left = random() % (most + 1); left > 0; --left) text += of[random() % of.size()];
    return text;
  };
  int matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    // Across the ends of words, in which the pattern's positions are kept.
    std::string before(random() % 3 * 64 + 60 - random() % 8, 'x');
    auto tail = some("ab/*%", 8);
    auto name = some("ab/", 8);
    CAPTURE(before.size());
    CAPTURE(tail);
    CAPTURE(name);
    bool expected = plain_match(tail, name);
    matched += expected ? 1 : 0;
    REQUIRE(ListPatterns("", {before + tail}).matches(before + name) == expected);
    REQUIRE(ListPatterns("", {"*" + before + tail}).matches("a/" + before + name) == expected);
    REQUIRE(pattern_matches(before + tail, before + name) == expected);
    if (expected && !name.empty())
      REQUIRE(ListPatterns("", {before + "/" + tail}).may_match_below(before));
  }
  CHECK(matched > 1'000);
}

TEST_CASE("a pattern made to backtrack costs its length times the name's") {
  std::string pattern, name(1000, 'a');
  for (int i = 0; i < 400; ++i) pattern += "*a";
  pattern += "b";
  CHECK_FALSE(ListPatterns("", {pattern}).matches(name));  // exponential matchers do not return
}

}  // namespace
}  // namespace hikyaku::imap
