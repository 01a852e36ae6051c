#include "mailbox/names.h"

#include <doctest/doctest.h>

namespace hikyaku::mailbox {
namespace {

std::string canonical(std::string_view path) {
  auto levels = parse_path(path);
  return levels ? format_path(*levels) : "error";
}

TEST_CASE("paths have one form") {
  struct Case {
    std::string_view path;
    std::string_view want;
  };
  for (const auto& [path, want] : std::initializer_list<Case>{
           {"a", "a"},
           {"a/b/c", "a/b/c"},
           {"a/", "a"},         // RFC 9051 §6.3.4: the separator at the end is ignored
           {"inbox", "INBOX"},  // in any case
           {"iNbOx/Work", "INBOX/Work"},
           {"a/inbox", "a/inbox"},                        // only at the top
           {"100%", "100%"},                              // a percent sign alone stays
           {"a%2Fb", "a%2Fb"},                            // one level: a/b
           {"%25", "%"},                                  // the escape where none is needed
           {"a%252Fb", "a%252Fb"},                        // the name a%2Fb
           {"e\xCC\x81t\xC3\xA9", "\xC3\xA9t\xC3\xA9"},   // NFC
           {"\xE3\x81\xAF\xE3\x82\x99", "\xE3\x81\xB0"},  // は + ゛ = ば
           {"", "error"},
           {"/", "error"},
           {"/a", "error"},
           {"a//b", "error"},
           {"a\x01", "error"},
           {"a\x7F", "error"},
           {"\xC2\x85", "error"},      // C1 control
           {"\xE2\x80\xA8", "error"},  // line separator
           {"\xEF\xBF\xBE", "error"},  // U+FFFE
           {"\xFF", "error"},
           {"a\xED\xA0\x80", "error"},  // surrogate
       }) {
    CAPTURE(path);
    CHECK(canonical(path) == want);
  }
}

TEST_CASE("every name has one path and every path one name") {
  for (std::string_view name : {"a/b", "%", "%2F", "%25", "%252F", "%/", "%2", "%2/", "25",
                                "%%25/%2F", "%2%2F", "//", "%2f"}) {
    CAPTURE(name);
    auto levels = parse_path(escape_name(name));
    REQUIRE(levels);
    CHECK(*levels == std::vector<std::string>{std::string(name)});
  }
}

TEST_CASE("lengths and depths have limits") {
  CHECK(parse_path(std::string(255, 'a')));
  CHECK(!parse_path(std::string(256, 'a')));
  CHECK(!parse_path(std::string(100'000, 'a')));
  std::string deep = "a";
  for (int i = 1; i < kMaxMailboxDepth; ++i) deep += "/a";
  CHECK(parse_path(deep));
  CHECK(!parse_path(deep + "/a"));
  // Composed, it fits: the limit is on what is stored.
  std::string decomposed;
  for (int i = 0; i < 100; ++i) decomposed += "e\xCC\x81";
  CHECK(parse_path(decomposed));
}

TEST_CASE("children follow their parent, INBOX comes first") {
  CHECK(path_before("INBOX", "A"));
  CHECK(path_before("INBOX/z", "A"));
  CHECK(!path_before("A", "INBOX/z"));
  CHECK(path_before("a/z", "a b"));
  CHECK(path_before("a", "a/b"));
  CHECK(path_before("INBOX", "INBOX2"));
}

}  // namespace
}  // namespace hikyaku::mailbox
