#include "dns/zone.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

#include "dns/fake_resolver.h"
#include "dns/zone_resolver.h"
#include "testing/test_loop.h"

namespace hikyaku::dns {
namespace {

/// "NAME TTL TYPE HEX" of each record found, or the status.
std::string shown(const Lookup& lookup) {
  if (lookup.status != Status::Ok) return std::string(to_string(lookup.status));
  std::string text;
  for (auto& record : lookup.records) {
    if (!text.empty()) text += ", ";
    text += record.name + " " + std::to_string(record.ttl) + " " + to_string(record.type) + " ";
    if (auto mx = decode_mx(record.data); record.type == Type::MX && mx)
      text += std::to_string(mx->preference) + " " + mx->exchange;
    else if (record.type == Type::TXT)
      text += "'" + decode_txt(record.data).value_or("?") + "'";
    else if (record.type == Type::A)
      text += decode_a(record.data)->to_string();
    else if (record.type == Type::AAAA)
      text += decode_aaaa(record.data)->to_string();
    else if (record.type == Type::CNAME || record.type == Type::PTR || record.type == Type::NS)
      text += decode_name(record.data).value_or("?");
    else
      text += std::to_string(record.data.size()) + " bytes";
  }
  return text;
}

constexpr const char* kZone = R"($ORIGIN Example.ORG.
$TTL 1h
@       IN SOA ns hostmaster.example.org. (
            2026112101 ; serial
            2h 15m     ; refresh, retry
            4w 5m )    ; expire, minimum
        NS      ns
        MX      10 mx1
        300 IN MX 20 mx2.example.net.
        TXT     "v=spf1 " "mx -all" ; two strings, one text
ns      A       192.0.2.53
mx1     IN 60   A 192.0.2.1
        AAAA    2001:db8::1
www     CNAME   mx1
loop1   CNAME   loop2
loop2   CNAME   loop1
away    CNAME   elsewhere.test.
dangling CNAME  missing
_25._tcp.mx1 TLSA 3 1 1 (
        0123456789abcdef0123456789abcdef
        0123456789ABCDEF0123456789ABCDEF )
_imaps._tcp SRV 0 1 993 mx1
_pop3s._tcp SRV 0 0 0 .
*.wild  A       192.0.2.77
a.wild  TXT     here
deep.er.down A  192.0.2.9
null    MX      0 .
quoted  TXT     "a;b(c)\"d\\ \101" plain\;x
srv     SRV     1 2 3 mx1
caa     CAA     0 issue "letsencrypt.org"
raw     TYPE4321 \# 4 01 02 0304
rawa    A \# 4 c0000205
1.2.0.192.in-addr.arpa. PTR mx1
;!SERVFAIL broken
;!TIMEOUT slow.example.org. MX
slow    A       192.0.2.8
)";

TEST_CASE("a zone answers as the DNS does") {
  auto zone = Zone::parse(kZone);
  REQUIRE_MESSAGE(zone.has_value(), zone.error().text);
  struct Row {
    const char* name;
    Type type;
    const char* answer;
  };
  for (auto& row : std::initializer_list<Row>{
           {"example.org", Type::MX,
            "example.org 3600 MX 10 mx1.example.org, example.org 300 MX 20 mx2.example.net"},
           {"EXAMPLE.org.", Type::TXT, "example.org 3600 TXT 'v=spf1 mx -all'"},
           {"mx1.example.org", Type::A, "mx1.example.org 60 A 192.0.2.1"},
           {"mx1.example.org", Type::AAAA, "mx1.example.org 3600 AAAA 2001:db8::1"},
           {"mx1.example.org", Type::MX, "no-record"},
           {"www.example.org", Type::A, "mx1.example.org 60 A 192.0.2.1"},
           {"www.example.org", Type::CNAME, "www.example.org 3600 CNAME mx1.example.org"},
           {"www.example.org", Type::MX, "no-record"},
           {"loop1.example.org", Type::A, "failed"},
           {"away.example.org", Type::A, "no-name"},
           {"dangling.example.org", Type::A, "no-name"},
           {"_25._tcp.mx1.example.org", Type::TLSA, "_25._tcp.mx1.example.org 3600 TLSA 35 bytes"},
           {"x.wild.example.org", Type::A, "x.wild.example.org 3600 A 192.0.2.77"},
           {"x.y.wild.example.org", Type::A, "x.y.wild.example.org 3600 A 192.0.2.77"},
           {"x.wild.example.org", Type::MX, "no-record"},
           {"a.wild.example.org", Type::A, "no-record"},   // it exists: no wildcard
           {"x.a.wild.example.org", Type::A, "no-name"},   // the closest name has no wildcard
           {"wild.example.org", Type::A, "no-record"},     // an empty non-terminal
           {"er.down.example.org", Type::A, "no-record"},  // another
           {"no.er.down.example.org", Type::A, "no-name"},
           {"null.example.org", Type::MX, "null.example.org 3600 MX 0 "},
           {"quoted.example.org", Type::TXT, "quoted.example.org 3600 TXT 'a;b(c)\"d\\ eplain;x'"},
           {"srv.example.org", Type::SRV, "srv.example.org 3600 SRV 23 bytes"},
           {"caa.example.org", Type::CAA, "caa.example.org 3600 CAA 22 bytes"},
           {"raw.example.org", static_cast<Type>(4321), "raw.example.org 3600 TYPE4321 4 bytes"},
           {"rawa.example.org", Type::A, "rawa.example.org 3600 A 192.0.2.5"},
           {"1.2.0.192.in-addr.arpa", Type::PTR, "1.2.0.192.in-addr.arpa 3600 PTR mx1.example.org"},
           {"broken.example.org", Type::A, "failed"},
           {"broken.example.org", Type::MX, "failed"},
           {"slow.example.org", Type::MX, "failed"},
           {"slow.example.org", Type::A, "slow.example.org 3600 A 192.0.2.8"},
           {"missing.example.org", Type::A, "no-name"},
           {"org", Type::A, "no-record"},
           {"test", Type::A, "no-name"},
           {"not..a.name", Type::A, "no-name"},
       }) {
    CAPTURE(row.name);
    CHECK(shown(zone->find(row.name, row.type)) == row.answer);
  }
  CHECK(zone->find("slow.example.org", Type::MX).timed_out);
  CHECK_FALSE(zone->find("broken.example.org", Type::MX).timed_out);
  CHECK(zone->find("loop1.example.org", Type::A).problem ==
        "the CNAME records of loop1.example.org go in a circle");
  CHECK(zone->find("missing.example.org", Type::A).ttl == 300);  // SOA minimum, RFC 2308 §5
  CHECK(zone->find("www.example.org", Type::A).ttl == 60);       // smallest of the chain
  // What the zone decides about, and what it says nothing about.
  CHECK_FALSE(zone->find("missing.example.org", Type::A).outside);
  CHECK(zone->find("elsewhere.test", Type::A).outside);
  CHECK(zone->find("away.example.org", Type::A).outside);
  CHECK(zone->find("org", Type::A).outside);
  CHECK_FALSE(zone->find("er.down.example.org", Type::A).outside);
}

TEST_CASE("zone mistakes are told with their line") {
  struct Row {
    const char* text;
    const char* problem;
  };
  for (auto& row : std::initializer_list<Row>{
           {"a A 192.0.2.1\nb A 192.0.2.256", "z:2: A record: \"192.0.2.256\" is no IPv4 address"},
           {"a AAAA 192.0.2.1", "z:1: AAAA record: \"192.0.2.1\" is no IPv6 address"},
           {"\n\n a A 192.0.2.1", "z:3: the first record needs a name in its first column"},
           {"a MX mx", "z:1: MX record: \"mx\" is no number up to 65535"},
           {"a MX 10", "z:1: MX record: the name is missing"},
           {"a MX 10 b c", "z:1: MX record: \"c\" is one word too many"},
           {"a A", "z:1: A record: the address is missing"},
           {"a 300", "z:1: the record type is missing"},
           {"a HINFO x y",
            "z:1: unknown record type \"HINFO\"; write types without a name of their own as "
            "TYPE1234 \\# LENGTH HEX (RFC 3597)"},
           {"a CH A 192.0.2.1", "z:1: class CH is not supported, only IN"},
           {"a TXT \"open\nb A 192.0.2.1", "z:1: a quoted string does not end on its line"},
           {"a SOA (\nb", "z:1: a parenthesis is not closed"},
           {"a TXT )", "z:1: the parentheses do not match"},
           {"a TXT", "z:1: TXT record: the text is missing"},
           {"a CNAME b\na A 192.0.2.1", "z:2: a has a CNAME record and others beside it (A)"},
           {"a CNAME b\na CNAME c", "z:2: a has two CNAME records"},
           {"a..b A 192.0.2.1", "z:1: \"a..b\" is no domain name"},
           {"$INCLUDE x", "z:1: $INCLUDE is not supported; $ORIGIN and $TTL are"},
           {"$TTL soon", "z:1: $TTL needs a time such as 3600 or 1h"},
           {"$ORIGIN", "z:1: $ORIGIN needs one value"},
           {"a TLSA 3 1 1 xyz", "z:1: TLSA record: \"xyz\" is not hexadecimal"},
           {"a TYPE9 \\# 3 0102", "z:1: TYPE9 record: \\# says 3 bytes, but 2 follow"},
           {"a TYPE9 0102", "z:1: TYPE9 record: write its data as \\# LENGTH HEX (RFC 3597)"},
           {"a TXT \"\\999\"",
            "z:1: TXT record: bad escape: \\ needs a character or three digits up to 255"},
           {";!SERVFAIL", "z:1: ;!SERVFAIL needs a name, and perhaps a type"},
           {";!SERVFALL a",
            "z:1: ;! begins a directive: \";!SERVFAIL NAME [TYPE]\" or \";!TIMEOUT NAME [TYPE]\""},
           {";!TIMEOUT a MXX", "z:1: unknown record type \"MXX\""},
       }) {
    CAPTURE(row.text);
    auto zone = Zone::parse(row.text, "z");
    REQUIRE_FALSE(zone);
    CHECK(zone.error().text == row.problem);
  }
  auto long_string = "a TXT \"" + std::string(256, 'x') + "\"";
  CHECK(Zone::parse(long_string, "z").error().text ==
        "z:1: TXT record: a string of 256 bytes is longer than 255; write it as several quoted "
        "strings");
  CHECK(Zone::parse("a A 192.0.2.1\nb A 192.0.2.1", "z", {.records = 1}).error().code ==
        ErrorCode::TooLarge);
}

TEST_CASE("zone forms that are easily got wrong") {
  auto text = [](const char* zone, const char* name, Type type) {
    auto parsed = Zone::parse(zone);
    return parsed ? shown(parsed->find(name, type)) : parsed.error().text;
  };
  CHECK(text("alpha.test MX 10 mx.alpha.test", "alpha.test", Type::MX) ==
        "alpha.test 300 MX 10 mx.alpha.test");  // no origin: from the root
  CHECK(text("a 1h A 192.0.2.1\nb A 192.0.2.2", "b", Type::A) == "b 3600 A 192.0.2.2");
  CHECK(text("a IN 1w2d A 192.0.2.1\r\n", "a", Type::A) == "a 777600 A 192.0.2.1");
  CHECK(text("$ORIGIN test.\na\\. A 192.0.2.1", "a\\..test", Type::A) ==
        "a\\..test 300 A 192.0.2.1");
  CHECK(text("a TXT ( \"one\"\n  ; comment\n two )\n", "a", Type::TXT) == "a 300 TXT 'onetwo'");
  CHECK(text("\xEF\xBB\xBF"
             "a A 192.0.2.1",
             "a", Type::A) == "a 300 A 192.0.2.1");
  CHECK(text("a A 192.0.2.1\na A 192.0.2.1", "a", Type::A) == "a 300 A 192.0.2.1");
  CHECK(text("mx A 192.0.2.1", "mx", Type::A) == "mx 300 A 192.0.2.1");  // a name like a type
}

TEST_CASE("a zone file that cannot be read is named") {
  CHECK(Zone::read("/nowhere/zone").error().text ==
        "cannot read the zone file /nowhere/zone: No such file or directory");
  CHECK(Zone::read("/tmp").error().text == "cannot read the zone file /tmp: Is a directory");
  auto path = std::filesystem::temp_directory_path() / "hikyaku-dns-test.zone";
  std::ofstream(path) << "a A 192.0.2.1\nb A\n";
  CHECK(Zone::read(path).error().text == path.string() + ":2: A record: the address is missing");
  std::filesystem::remove(path);
}

TEST_CASE("ZoneResolver: alone, laid over another, replaced") {
  testing::TestLoop loop;
  auto zone = std::make_shared<const Zone>(*Zone::parse(kZone));
  ZoneResolver alone(zone);
  auto mx = loop.run(alone.mx("example.org"));
  CHECK(mx.ok());
  CHECK(mx.records == std::vector<Mx>{{10, "mx1.example.org"}, {20, "mx2.example.net"}});
  CHECK(mx.ttl == std::chrono::seconds(300));
  CHECK_FALSE(mx.secure);
  CHECK(loop.run(alone.a("www.example.org")).name == "mx1.example.org");
  CHECK(loop.run(alone.ptr(*IpAddress::parse("192.0.2.1"))).records ==
        std::vector<std::string>{"mx1.example.org"});
  CHECK(loop.run(alone.cname("www.example.org")).records ==
        std::vector<std::string>{"mx1.example.org"});
  CHECK(loop.run(alone.tlsa("_25._tcp.mx1.example.org")).records[0].data.size() == 32);
  CHECK(loop.run(alone.srv("_imaps._tcp.example.org")).records ==
        std::vector<Srv>{{0, 1, 993, "mx1.example.org"}});
  CHECK(loop.run(alone.srv("_pop3s._tcp.example.org")).records == std::vector<Srv>{{0, 0, 0, ""}});
  CHECK(loop.run(alone.mx("null.example.org")).records == std::vector<Mx>{{0, ""}});
  CHECK(loop.run(alone.a("elsewhere.test")).absent());
  CHECK(loop.run(alone.mx("slow.example.org")).problem ==
        "the servers for slow.example.org do not answer");

  FakeResolver below(
      "elsewhere.test. 30 A 192.0.2.200\norg. A 192.0.2.201\n"
      "missing.example.org. A 192.0.2.202\n");
  below.set_secure("elsewhere.test");
  ZoneResolver over(zone, &below);
  CHECK(loop.run(over.a("elsewhere.test")).secure);
  auto away = loop.run(over.a("away.example.org"));
  CHECK(away.records == std::vector<IpAddress>{*IpAddress::parse("192.0.2.200")});
  CHECK(away.ttl == std::chrono::seconds(30));
  CHECK_FALSE(away.secure);  // the alias in the file is not signed
  CHECK(loop.run(over.a("org")).ok());
  CHECK(loop.run(over.a("missing.example.org")).status == Status::NoName);  // the zone decides
  CHECK(loop.run(over.ptr(*IpAddress::parse("192.0.2.9"))).status == Status::NoName);

  over.replace(std::make_shared<const Zone>(*Zone::parse("elsewhere.test A 192.0.2.3")));
  CHECK(loop.run(over.a("elsewhere.test")).records[0].to_string() == "192.0.2.3");
  CHECK(loop.run(over.txt("elsewhere.test")).status == Status::NoRecord);
}

TEST_CASE("FakeResolver: outcomes by force, and what was asked") {
  testing::TestLoop loop;
  FakeResolver dns(
      "example.org. MX 10 mx.example.org.\nmx.example.org. A 192.0.2.1\n"
      "www.example.org. CNAME mx.other.test.\nmx.other.test. A 192.0.2.2");
  dns.set_secure("Example.ORG.");
  CHECK(loop.run(dns.mx("example.org")).secure);
  CHECK(loop.run(dns.txt("example.org")).secure);          // "no such record" is signed too
  CHECK_FALSE(loop.run(dns.a("www.example.org")).secure);  // leads out of the signed zone
  dns.set_bogus("mx.example.org");
  dns.set_failed("mx.other.test");
  CHECK(loop.run(dns.a("MX.example.org")).status == Status::Bogus);
  CHECK(loop.run(dns.a("www.example.org")).status == Status::Failed);
  CHECK(dns.asked() == std::vector<std::string>{"MX example.org", "TXT example.org",
                                                "A www.example.org", "A mx.example.org",
                                                "A www.example.org"});
  dns.add("new.test. TXT hello");
  CHECK(loop.run(dns.txt("new.test")).records == std::vector<std::string>{"hello"});
  CHECK_THROWS_AS(FakeResolver("a A x"), std::invalid_argument);
}

}  // namespace
}  // namespace hikyaku::dns
