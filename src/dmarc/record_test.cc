#include "dmarc/record.h"

#include <doctest/doctest.h>

#include "dmarc/report_address.h"

namespace hikyaku::dmarc {
namespace {

using Kind = Remark::Kind;

/// A record in short: what a receiver takes from it.
std::string read(std::string_view text) {
  auto record = parse_record(std::string(text));
  if (!record) return "no record";
  auto policy = [](const std::optional<Policy>& p) {
    return p ? std::string(to_string(*p)) : std::string("-");
  };
  std::string out = policy(record->p) + ' ' + policy(record->sp) + ' ' + policy(record->np);
  if (record->bad_sp) out += " bad-sp";
  if (record->bad_np) out += " bad-np";
  if (record->psd != Psd::Unknown) out += record->psd == Psd::Yes ? " psd" : " org";
  if (record->testing) out += " t";
  if (record->adkim == Alignment::Strict) out += " dkim-s";
  if (record->aspf == Alignment::Strict) out += " spf-s";
  if (record->fo.all && (record->fo.dkim || record->fo.spf)) out += " 0";
  if (record->fo.any) out += " 1";
  if (record->fo.dkim) out += " d";
  if (record->fo.spf) out += " s";
  if (!record->rua().empty()) out += " rua=" + std::string(record->rua());
  if (!record->ruf().empty()) out += " ruf=" + std::string(record->ruf());
  return out;
}

TEST_CASE("records as receivers read them") {
  struct Row {
    std::string_view text, expected;
  };
  for (auto& [text, expected] : std::initializer_list<Row>{
           {"v=DMARC1", "- - -"},
           {"v=DMARC1;", "- - -"},
           {"v=DMARC1; p=none", "none - -"},
           {"v = DMARC1 ; P=Reject ; unknown=1 ;", "reject - -"},
           {"V=DMARC1;p=quarantine;sp=none;np=REJECT", "quarantine none reject"},
           {"v=DMARC1\t;\tp\t=\treject", "reject - -"},
           {"v=DMARC1;;p=reject", "reject - -"},
           {"v=DMARC1; rua=mailto:a@b.test; p=none", "none - - rua=mailto:a@b.test"},
           {"v=DMARC1; p=reject; pct=0; rf=afrf; ri=86400", "reject - -"},  // historic tags
           {"v=DMARC1; p=reject; p=none", "reject - -"},                    // the first counts
           {"v=DMARC1; p=block; sp=none", "- none -"},
           {"v=DMARC1; p=reject; sp=block; np=", "reject - - bad-sp bad-np"},
           {"v=DMARC1; p=reject; psd=y; t=y", "reject - - psd t"},
           {"v=DMARC1; p=reject; psd=N; t=maybe", "reject - - org"},
           {"v=DMARC1; p=reject; adkim=S; aspf=s; psd=x", "reject - - dkim-s spf-s"},
           {"v=DMARC1; p=reject; adkim=strict", "reject - -"},
           {"v=DMARC1; p=none; fo=1:d:s", "none - - 1 d s"},
           {"v=DMARC1; p=none; fo=d", "none - - d"},
           {"v=DMARC1; p=none; fo=s:0", "none - - 0 s"},
           {"v=DMARC1; p=none; fo=0:1", "none - -"},  // exclude each other: absent
           {"v=DMARC1; p=none; fo=1:x", "none - -"},
           {"v=DMARC1; p=none; ruf=mailto:f@b.test; rua=mailto:a@b.test,https://x.test/r",
            "none - - rua=mailto:a@b.test,https://x.test/r ruf=mailto:f@b.test"},
           {"v=DMARC1; p=rej\xC3\xA9"
            "ct",
            "- - -"},
           {"v=DMARC1; p=none; rua=mailto:a\x01@b.test", "none - -"},
           {"v=DMARC1; =none; ;p=none", "none - -"},
           // No records.
           {"", "no record"},
           {"v=dmarc1; p=none", "no record"},
           {"v=DMARC1x; p=none", "no record"},
           {"v=DMARC10; p=none", "no record"},
           {" v=DMARC1; p=none", "no record"},
           {"p=none; v=DMARC1", "no record"},
           {"v=DMARC1 p=none", "no record"},
           {"v=DMARC1, p=none", "no record"},
           {"v=spf1 -all", "no record"},
           {"v", "no record"},
       }) {
    CAPTURE(text);
    CHECK(read(text) == expected);
  }
}

TEST_CASE("records as their owners should see them") {
  struct Row {
    std::string_view text;
    std::initializer_list<Kind> kinds;
    std::string_view suggestion;
  };
  for (auto& [text, kinds, suggestion] : std::initializer_list<Row>{
           {"v=DMARC1; p=none; rua=mailto:a@b.test", {}, ""},
           {"v=spf1 -all", {}, ""},
           {"v=DKIM1; k=rsa; p=abc", {}, ""},
           {"v=TLSRPTv1; rua=mailto:a@b.test", {}, ""},
           {"google-site-verification=abc", {}, ""},
           {"", {}, ""},
           {"v=DMRC1; p=none", {Kind::Version}, "v=DMARC1"},
           {"v=DMARC2; p=none", {Kind::Version}, "v=DMARC1"},
           {"v=dmarc1; p=none", {Kind::Version}, "v=DMARC1"},
           {"v=DMARC; p=none", {Kind::Version}, "v=DMARC1"},
           {" v=DMARC1; p=none", {Kind::VersionPlace}, ""},
           {"\"v=DMARC1; p=none", {Kind::VersionPlace}, ""},
           {"p=none; v=DMARC1", {Kind::VersionPlace}, ""},
           {"DMARC1; p=none", {Kind::VersionPlace}, ""},
           {"v=DMARC1 p=none", {Kind::NoSeparator}, ""},
           {"v=DMARC1, p=none", {Kind::Comma}, ""},
           {"v=DMARC1; p=quaratine; rua=mailto:a@b.test", {Kind::BadValue}, "quarantine"},
           {"v=DMARC1; p=rejct; rua=mailto:a@b.test", {Kind::BadValue}, "reject"},
           {"v=DMARC1; p=banana; rua=mailto:a@b.test", {Kind::BadValue}, ""},
           {"v=DMARC1; p=none; adkim=strict; rua=mailto:a@b.test", {Kind::BadValue}, "s"},
           {"v=DMARC1; p=none; t=yes; rua=mailto:a@b.test", {Kind::BadValue}, "y"},
           {"v=DMARC1; p=reject, rua=mailto:a@b.test", {Kind::Comma, Kind::NoReports}, ""},
           {"v=DMARC1; p=none; rua=mailto:a@b.test, ruf=mailto:a@b.test", {Kind::Comma}, ""},
           {"v=DMARC1; p=none; adkm=s; rua=mailto:a@b.test", {Kind::UnknownTag}, "adkim"},
           {"v=DMARC1; policy=none; rua=mailto:a@b.test", {Kind::UnknownTag, Kind::NoPolicy}, ""},
           {"v=DMARC1; none; rua=mailto:a@b.test", {Kind::NoValue, Kind::NoPolicy}, ""},
           {"v=DMARC1; p=none; p=none; rua=mailto:a@b.test", {Kind::Repeated}, ""},
           {"v=DMARC1; rua=mailto:a@b.test", {Kind::NoPolicy}, ""},
           {"v=DMARC1; p=none; rua=a@b.test", {Kind::BadUri}, "mailto:a@b.test"},
           {"v=DMARC1; p=none; rua=mailto:a b@c.test", {Kind::BadUri}, ""},
           {"v=DMARC1; p=none; rua=mailto:a", {Kind::BadUri}, ""},
           {"v=DMARC1; p=none; rua=https://x.test/", {Kind::Scheme}, ""},
           {"v=DMARC1; p=none; rua=mailto:a@b.test!10m", {Kind::SizeLimit}, ""},
           {"v=DMARC1; p=none; pct=100; rua=mailto:a@b.test", {Kind::Historic}, ""},
           {"v=DMARC1; p=none; pct=20; rua=mailto:a@b.test", {Kind::Sampling}, "t=y"},
           {"v=DMARC1; p=none; psd=y; rua=mailto:a@b.test", {Kind::SuffixClaim}, ""},
           {"v=DMARC1; p=none; psd=n; rua=mailto:a@b.test", {}, ""},
           {"v=DMARC1; p=none; fo=1; rua=mailto:a@b.test", {Kind::UnusedOption}, ""},
           {"v=DMARC1; p=none", {Kind::NoReports}, ""},
           {"v=DMARC1; p=\xE2\x80\x9Cnone\xE2\x80\x9D; rua=mailto:a@b.test",
            {Kind::BadCharacter, Kind::BadValue},
            ""},
       }) {
    CAPTURE(text);
    auto remarks = examine_record(text);
    std::vector<Kind> found;
    for (auto& remark : remarks) {
      found.push_back(remark.kind);
      CHECK(!remark.describe(Language::English).empty());
      CHECK(!remark.describe(Language::Japanese).empty());
    }
    CHECK(found == std::vector<Kind>(kinds));
    if (!remarks.empty() && !suggestion.empty()) CHECK(remarks.front().suggestion == suggestion);
  }
  CHECK(examine_record("v=DMARC1; p=quaratine")[0].describe(Language::English) ==
        "p=quaratine means nothing; write p=quarantine");
}

TEST_CASE("mistakes are mended without losing what their owner has decided") {
  struct Case {
    std::string_view text;
    std::optional<std::string> mended;
  };
  const Case cases[] = {
      {"v=DMARC1; p=reject; adkim=s, aspf=s; rua=mailto:a@b.test",
       "v=DMARC1; p=reject; adkim=s; aspf=s; rua=mailto:a@b.test"},
      {"v=DMARC1; p=quaratine; rua=mailto:a@b.test", "v=DMARC1; p=quarantine; rua=mailto:a@b.test"},
      {"v=DMARC1; p=reject; foo=1; rua=mailto:a@b.test",
       "v=DMARC1; p=reject; fo=1; rua=mailto:a@b.test"},
      {"v=DMARC1; p=reject; banana=1", "v=DMARC1; p=reject"},
      {"v=DMRC1; p=reject", "v=DMARC1; p=reject"},
      {"v=dmarc1;p=reject;", "v=DMARC1; p=reject"},
      {"v=DMARC1 p=reject", "v=DMARC1; p=reject"},
      {"v=DMARC1, p=reject, rua=mailto:a@b.test,mailto:c@b.test",
       "v=DMARC1; p=reject; rua=mailto:a@b.test,mailto:c@b.test"},
      {"\"v=DMARC1; p=reject\"", "v=DMARC1; p=reject"},
      {"p=reject; rua=mailto:a@b.test", "v=DMARC1; p=reject; rua=mailto:a@b.test"},
      {"v=DMARC1; p=reject; p=none", "v=DMARC1; p=reject"},
      {"v=DMARC1; p=reject; adkim=strict; rua=a@b.test",
       "v=DMARC1; p=reject; adkim=s; rua=mailto:a@b.test"},
      {"v=DMARC1; p=reject; fo=x; pct=100", "v=DMARC1; p=reject; pct=100"},
      // It cannot be told what was meant.
      {"v=DMARC1; p=maybe", std::nullopt},
      {"v=DMARC1; rua=mailto:a@b.test", std::nullopt},
      {"v=DMARC1; p=reject; rua=nobody", std::nullopt},
      {"v=DMARC1; p reject", std::nullopt},
      // There is no mistake.
      {"v=DMARC1; p=reject", std::nullopt},
      {"v=DMARC1;p=reject;;", std::nullopt},
      {"", std::nullopt},
  };
  for (auto& c : cases) {
    CAPTURE(c.text);
    CHECK(mend_record(c.text) == c.mended);
    if (c.mended) CHECK(is_meant_as_record(c.text));
  }
}

TEST_CASE("addresses for reports") {
  struct Row {
    std::string_view text, mailbox, host;
  };
  for (auto& [text, mailbox, host] : std::initializer_list<Row>{
           {"mailto:a@b.test", "a@b.test", "b.test"},
           {" MAILTO:a@B.Test ", "a@b.test", "b.test"},
           {"mailto:a@b.test!10m", "a@b.test", "b.test"},
           {"mailto:a%21b@b.test", "a!b@b.test", "b.test"},
           {"mailto:a@b.test?subject=x", "a@b.test", "b.test"},
           {"https://b.test/x", "", ""},
           {"mailto:a@[192.0.2.1]", "none", ""},
           {"mailto:", "none", ""},
           {"mailto:%0d%0a@b.test", "none", ""},
           {"mailto:a%4@b.test", "none", ""},
           {"a@b.test", "none", ""},
           {"", "none", ""},
           {"mailto:a@b.test c", "none", ""},
           {"1x:y", "none", ""},
       }) {
    CAPTURE(text);
    auto uri = parse_report_uri(text);
    if (mailbox == "none") {
      CHECK(!uri);
    } else {
      REQUIRE(uri);
      CHECK(uri->host == host);
      CHECK(uri->mailbox == mailbox);
    }
  }
  CHECK(parse_report_uri("mailto:a@b.test!10m")->size_limit == 10u << 20);
  CHECK(parse_report_uris("mailto:a@b.test,,x,mailto:c@d.test").size() == 2);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "mailto:a@b.test,";
  CHECK(parse_report_uris(many).size() == 32);
  CHECK(!authorization_name(std::string(200, 'a'), std::string(60, 'b')));
}

}  // namespace
}  // namespace hikyaku::dmarc
