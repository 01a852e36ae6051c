// Records mended without losing what they say.
#include "spf/mend.h"

#include <doctest/doctest.h>

#include "spf/record.h"

namespace hikyaku::spf {
namespace {

TEST_CASE("what was meant is mended, and nothing else changes") {
  struct Case {
    std::string_view text;
    std::optional<std::string> mended;
  };
  const Case cases[] = {
      {"v=spf4 mx include:_spf.partner.example.org ip4:198.51.100.0/24 -all",
       "v=spf1 mx include:_spf.partner.example.org ip4:198.51.100.0/24 -all"},
      {"v = spf1 mx -all", "v=spf1 mx -all"},
      {"spf1 mx -all", "v=spf1 mx -all"},
      {"v=spf2.0 mx -all", "v=spf1 mx -all"},
      {"v=spf1; mx; -all;", "v=spf1 mx -all"},
      {"\"v=spf1 mx -all\"", "v=spf1 mx -all"},  // quotes pasted into a panel
      {" v=spf1 mx\t-all", "v=spf1 mx -all"},
      {"v=spf1mx -all", "v=spf1 mx -all"},
      {"v=spf1 inclde:foo.example ~all", "v=spf1 include:foo.example ~all"},
      {"v=spf1 ipv4:192.0.2.1 ipv6:2001:db8::1 -all", "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"},
      {"v=spf1 ip4=192.0.2.1 -all", "v=spf1 ip4:192.0.2.1 -all"},
      {"v=spf1 redirect:foo.example", "v=spf1 redirect=foo.example"},
      {"v=spf1 -redirect=foo.example", "v=spf1 redirect=foo.example"},
      {"v=spf1 moo=x mx/24//64 ?al", "v=spf1 moo=x mx/24//64 ?all"},
      // It cannot be told what was meant.
      {"v=spf1 ip4:127.0.0.300 -all", std::nullopt},
      {"v=spf1 include: -all", std::nullopt},
      {"v=spf1 banana:x -all", std::nullopt},
      // Nothing is to be mended.
      {"v=spf1 mx -all", std::nullopt},
      {"google-site-verification=abc", std::nullopt},
      {"v=DMARC1; p=none", std::nullopt},
      {"", std::nullopt},
      {"v", std::nullopt},
  };
  for (auto& c : cases) {
    CAPTURE(c.text);
    CHECK(mend_record(c.text) == c.mended);
    if (c.mended) CHECK(is_meant_as_record(c.text));
  }
  CHECK_FALSE(is_meant_as_record("v=DKIM1; p=x"));
  CHECK_FALSE(is_meant_as_record("video spf"));
  CHECK(is_meant_as_record("“v=spf1 mx -all”"));
  CHECK(mend_record("“v=spf1 mx -all”") == "v=spf1 mx -all");
  CHECK(mend_record("‘v=spf1 mx -all’") == "v=spf1 mx -all");
  CHECK_FALSE(is_meant_as_record("“”\"'"));
  CHECK_FALSE(is_meant_as_record("spf2.0/pra mx -all"));
}

TEST_CASE("a term more, and all at its place") {
  CHECK(with_term("v=spf1 mx include:b.example -all", "a:c.example") ==
        "v=spf1 mx include:b.example a:c.example -all");
  CHECK(with_term("v=spf1 redirect=b.example", "a:c.example") ==
        "v=spf1 a:c.example redirect=b.example");
  CHECK(with_term("v=spf1", "a:c.example") == "v=spf1 a:c.example -all");
  CHECK(with_all_last("v=spf1 -all mx ip4:192.0.2.1") == "v=spf1 mx ip4:192.0.2.1 -all");
  CHECK(with_all_last("v=spf1 ?all mx -all") == "v=spf1 mx ?all");
  CHECK(with_all_denied("v=spf1 mx +ALL") == "v=spf1 mx -all");
  CHECK(with_all_denied("v=spf1 a:all.example all") == "v=spf1 a:all.example -all");
  CHECK(with_all_denied("v=spf1 mx ~all") == "v=spf1 mx ~all");
  CHECK(with_all_last("v=spf1 mx") == "v=spf1 mx");
  CHECK(parse_record(with_all_last("v=spf1 ~ALL mx")));
}

}  // namespace
}  // namespace hikyaku::spf
