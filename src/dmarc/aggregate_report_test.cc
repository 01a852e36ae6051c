#include "dmarc/aggregate_report.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "base/text.h"
#include "dmarc/gzip.h"
#include "dmarc/report_mail.h"
#include "dmarc/unpack.h"
#include "testing/vectors.h"

namespace hikyaku::dmarc {
namespace {

namespace json = boost::json;
namespace vectors = testing::vectors;

/// A file of the vectors as what is in it: XML, an archive, or a mail with one of them.
hikyaku::Result<AggregateReport> read_file(const std::filesystem::path& file) {
  auto bytes = vectors::read(file);
  if (file.extension() == ".eml") {
    auto message = mime::parse_message(bytes);
    TRY(auto attachment, find_aggregate_report(message));
    TRY(auto xml, unpack(attachment));
    return parse_aggregate_report(xml);
  }
  TRY(auto xml, unpack(bytes));
  return parse_aggregate_report(xml);
}

// The words of the vectors' JSON for our values.
std::string word(std::optional<Policy> policy) {
  if (!policy) return "Unspecified";
  return *policy == Policy::None ? "None" : *policy == Policy::Reject ? "Reject" : "Quarantine";
}
std::string word(std::optional<Alignment> alignment) {
  if (!alignment) return "Unspecified";
  return *alignment == Alignment::Strict ? "Strict" : "Relaxed";
}
std::string capital(std::string_view text) {
  if (text == "temperror") return "TempError";
  if (text == "permerror") return "PermError";
  if (text == "softfail") return "SoftFail";
  std::string out;
  bool first = true;
  for (char c : text) {
    if (c == '_') {
      first = true;
      continue;
    }
    out += first ? ascii_upper(c) : c;
    first = false;
  }
  return out;
}
std::string word(ReportedSpf::Scope scope) {
  return scope == ReportedSpf::Scope::MailFrom ? "MailFrom"
         : scope == ReportedSpf::Scope::Helo   ? "Helo"
                                               : "Unspecified";
}

/// A text, "" for null.
std::string text(const json::object& object, std::string_view key) {
  auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

void check_record(const ReportRecord& record, const json::object& facts) {
  auto& row = facts.at("row").as_object();
  CHECK(record.source == IpAddress::parse(text(row, "source_ip")));
  CHECK(record.count == json::value_to<std::uint64_t>(row.at("count")));
  auto& evaluated = row.at("policy_evaluated").as_object();
  CHECK(capital(to_string(record.disposition)) == text(evaluated, "disposition"));
  CHECK(record.dkim_aligned == (text(evaluated, "dkim") == "Pass"));
  CHECK(record.spf_aligned == (text(evaluated, "spf") == "Pass"));
  auto& reasons = evaluated.at("reason").as_array();
  REQUIRE(record.reasons.size() == reasons.size());
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    CHECK(capital(to_string(record.reasons[i].type)) == text(reasons[i].as_object(), "type_"));
    CHECK(record.reasons[i].comment == text(reasons[i].as_object(), "comment"));
  }
  auto& identifiers = facts.at("identifiers").as_object();
  CHECK(record.header_from == text(identifiers, "header_from"));
  CHECK(record.envelope_from == text(identifiers, "envelope_from"));
  CHECK(record.envelope_to == text(identifiers, "envelope_to"));
  auto& results = facts.at("auth_results").as_object();
  auto& signatures = results.at("dkim").as_array();
  REQUIRE(record.dkim.size() == signatures.size());
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    auto& signature = signatures[i].as_object();
    CHECK(record.dkim[i].domain == text(signature, "domain"));
    CHECK(record.dkim[i].selector == text(signature, "selector"));
    CHECK(capital(dkim::to_string(record.dkim[i].result)) == text(signature, "result"));
    CHECK(record.dkim[i].human_result == text(signature, "human_result"));
  }
  auto& spf = results.at("spf").as_array();
  REQUIRE(record.spf.size() == spf.size());
  for (std::size_t i = 0; i < spf.size(); ++i) {
    CHECK(record.spf[i].domain == text(spf[i].as_object(), "domain"));
    CHECK(word(record.spf[i].scope) == text(spf[i].as_object(), "scope"));
    CHECK(capital(spf::to_string(record.spf[i].result)) == text(spf[i].as_object(), "result"));
  }
}

TEST_CASE("reports with their facts beside them") {
  auto folder = vectors::folder_or_skip("aggregate reports");
  if (folder.empty()) return;
  int count = 0;
  for (auto& file : vectors::files(folder / "dmarc-reports/mail-auth", ".json")) {
    CAPTURE(file.string());
    auto facts = json::parse(vectors::read(file)).as_object();
    auto source = file;
    source.replace_extension(std::filesystem::exists(source.replace_extension(".xml")) ? ".xml"
                                                                                       : ".eml");
    auto report = read_file(source);
    REQUIRE_MESSAGE(report, report.error().text);
    auto& metadata = facts.at("report_metadata").as_object();
    CHECK(report->metadata.org_name == text(metadata, "org_name"));
    CHECK(report->metadata.email == text(metadata, "email"));
    CHECK(report->metadata.extra_contact_info == text(metadata, "extra_contact_info"));
    CHECK(report->metadata.report_id == text(metadata, "report_id"));
    CHECK(report->metadata.begin ==
          metadata.at("date_range").at("begin").to_number<std::int64_t>());
    CHECK(report->metadata.end == metadata.at("date_range").at("end").to_number<std::int64_t>());
    CHECK(report->metadata.error.empty() == metadata.at("error").as_array().empty());
    auto& policy = facts.at("policy_published").as_object();
    CHECK(report->policy.domain == text(policy, "domain"));
    CHECK(word(report->policy.p) == text(policy, "p"));
    CHECK(word(report->policy.sp) == text(policy, "sp"));
    CHECK(word(report->policy.adkim) == text(policy, "adkim"));
    CHECK(word(report->policy.aspf) == text(policy, "aspf"));
    CHECK(report->policy.testing.value_or(false) == policy.at("testing").as_bool());
    CHECK(report->policy.fo == text(policy, "fo"));
    auto& records = facts.at("record").as_array();
    REQUIRE(report->records.size() == records.size());
    std::size_t extensions = facts.at("extensions").as_array().size();
    for (std::size_t i = 0; i < records.size(); ++i) {
      check_record(report->records[i], records[i].as_object());
      extensions += records[i].as_object().at("extensions").as_array().size();
    }
    CHECK(report->extensions.size() == extensions);
    ++count;
  }
  CHECK(count >= 5);
}

/// Of these there are no facts but that they are reports; some are damaged, which is said.
TEST_CASE("reports from the wild") {
  auto folder = vectors::folder_or_skip("reports from the wild");
  if (folder.empty()) return;
  int count = 0;
  for (auto& file : vectors::files(folder / "dmarc-reports/parsedmarc/aggregate")) {
    CAPTURE(file.string());
    auto report = read_file(file);
    REQUIRE_MESSAGE(report, report.error().text);
    CHECK(!report->policy.domain.empty());
    CHECK(!report->metadata.report_id.empty());
    REQUIRE(!report->records.empty());
    for (auto& record : report->records) {
      CHECK(record.count > 0);
      CHECK(!record.header_from.empty());
    }
    auto name = file.filename().string();
    // One has stray brackets in texts, one an element around it that never ends.
    bool damaged = name.starts_with("invalid_xml") || name.starts_with("ikea");
    CHECK(damaged == !report->problems.empty());
    if (name.starts_with("invalid_xml")) CHECK(report->metadata.email == "<bad-xml@bad-xml.net>");
    if (name.starts_with("rfc9990")) {
      CHECK(report->schema == AggregateReport::Schema::Rfc9990);
      CHECK(report->policy.np == Policy::Reject);
      CHECK(report->policy.discovery_method == DiscoveryMethod::TreeWalk);
      CHECK(report->records.size() == 2);
    }
    if (name.starts_with("ikea")) CHECK(report->schema == AggregateReport::Schema::Rfc7489);
    if (name.starts_with("empty_reason")) CHECK(report->records.front().reasons.empty());
    ++count;
  }
  CHECK(count >= 9);
  auto plain = read_file(folder / "dmarc-reports/parsedmarc/extract_report/nice-input.xml");
  auto zipped = read_file(folder / "dmarc-reports/parsedmarc/extract_report/nice-input.xml.zip");
  REQUIRE(plain);
  REQUIRE(zipped);
  CHECK(plain->records.size() == zipped->records.size());
  CHECK(plain->metadata.report_id == zipped->metadata.report_id);
  CHECK(!read_file(folder / "dmarc-reports/parsedmarc/empty.xml"));
}

ReportMetadata some_metadata() {
  return {.org_name = "A & B <GmbH>",
          .email = "dmarc@b.test",
          .extra_contact_info = "",
          .report_id = "20261121.example.com.7",
          .begin = 1795132800,
          .end = 1795219199,
          .error = "",
          .generator = "hikyaku"};
}

ReportRecord some_record() {
  ReportRecord record;
  record.source = *IpAddress::parse("2001:db8::1");
  record.count = 3;
  record.disposition = Applied::Quarantine;
  record.reasons = {{OverrideType::PolicyTestMode, "t=y"}, {OverrideType::MailingList, "a\"b"}};
  record.header_from = "example.com";
  record.envelope_from = "list.test";
  record.dkim = {{"list.test", "s1", dkim::Result::Pass, ""},
                 {"example.com", "s2", dkim::Result::Fail, "body changed"}};
  record.spf = {{"list.test", ReportedSpf::Scope::MailFrom, spf::Result::SoftFail, false, ""}};
  return record;
}

std::string write(const ReportRecord& record, std::size_t times = 1) {
  std::string xml;
  AggregateWriter writer([&](std::string_view piece) { xml += piece; });
  auto policy = published_policy(
      "example.com",
      *parse_record("v=DMARC1; p=reject; sp=quarantine; np=reject; t=y; aspf=s; fo=1:d"));
  writer.begin(some_metadata(), policy);
  for (std::size_t i = 0; i < times; ++i) writer.record(record);
  writer.end();
  return xml;
}

TEST_CASE("what is written is read again") {
  auto xml = write(some_record());
  CHECK(
      xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback "
                      "xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n  <version>1.0</version>\n"));
  auto report = parse_aggregate_report(xml);
  REQUIRE(report);
  CHECK(report->problems.empty());
  CHECK(report->schema == AggregateReport::Schema::Rfc9990);
  CHECK(report->version == "1.0");
  CHECK(report->metadata.org_name == "A & B <GmbH>");
  CHECK(report->metadata.generator == "hikyaku");
  CHECK(report->policy.domain == "example.com");
  CHECK(report->policy.p == Policy::Reject);
  CHECK(report->policy.sp == Policy::Quarantine);
  CHECK(report->policy.np == Policy::Reject);
  CHECK(report->policy.testing == true);
  CHECK(report->policy.aspf == Alignment::Strict);
  CHECK(report->policy.fo == "1:d");
  REQUIRE(report->records.size() == 1);
  auto& record = report->records.front();
  auto expected = some_record();
  CHECK(record.source == expected.source);
  CHECK(record.count == 3);
  CHECK(record.disposition == Applied::Quarantine);
  CHECK(record.reasons == expected.reasons);
  CHECK(record.dkim.size() == 2);
  CHECK(record.dkim[1].human_result == "body changed");
  CHECK(record.spf.front().result == spf::Result::SoftFail);
}

TEST_CASE("a message as a report says it") {
  Outcome outcome;
  outcome.discovery.author_domain = "news.example.com";
  outcome.dkim_aligned = true;
  spf::Verdict spf;
  spf.domain = "list.test";
  spf.result = spf::Result::Neutral;
  std::vector<dkim::Verdict> signatures(2);  // the first could not even be read
  signatures[1].domain = "example.com";
  signatures[1].selector = "s";
  signatures[1].result = dkim::Result::Pass;
  Disposition disposition;
  disposition.applied = Applied::Pass;
  auto record = report_record(outcome, {&spf, &signatures}, disposition,
                              {*IpAddress::parse("192.0.2.1"), "list.test"});
  CHECK(record.count == 1);
  CHECK(record.disposition == Applied::Pass);
  CHECK(record.dkim_aligned);
  CHECK(!record.spf_aligned);
  CHECK(record.header_from == "news.example.com");
  CHECK(record.envelope_from == "list.test");
  REQUIRE(record.dkim.size() == 1);
  CHECK(record.dkim[0].result == dkim::Result::Pass);
  CHECK(record.spf.front().result == spf::Result::Neutral);
  CHECK(record.reasons.empty());
  // Otherwise than the domain asks for: what was done instead, and why.
  disposition.applied = Applied::Quarantine;
  disposition.overridden = {OverrideType::LocalPolicy, "nothing else spoke for it"};
  auto otherwise = report_record(outcome, {}, disposition, {*IpAddress::parse("192.0.2.1"), ""});
  auto report = parse_aggregate_report(write(otherwise));
  REQUIRE(report);
  CHECK(report->records.at(0).disposition == Applied::Quarantine);
  REQUIRE(report->records[0].reasons.size() == 1);
  CHECK(report->records[0].reasons[0] == *disposition.overridden);
}

TEST_CASE("a hundred signatures at most, the most telling ones") {
  auto record = some_record();
  record.dkim.clear();
  for (int i = 0; i < 300; ++i)
    record.dkim.push_back({"x" + std::to_string(i) + ".test", "s", dkim::Result::Fail, ""});
  record.dkim.push_back({"example.com", "last", dkim::Result::Pass, ""});
  auto report = parse_aggregate_report(write(record));
  REQUIRE(report);
  CHECK(report->records.front().dkim.size() == 100);
  CHECK(report->records.front().dkim.front().selector == "last");
}

TEST_CASE("writing takes the memory of a piece, however long the report") {
  std::size_t largest = 0, total = 0;
  std::string packed;
  GzipWriter gzip([&](std::string_view piece) { packed += piece; });
  AggregateWriter writer([&](std::string_view piece) {
    largest = std::max(largest, piece.size());
    total += piece.size();
    gzip.feed(piece);
  });
  writer.begin(some_metadata(), {});
  for (int i = 0; i < 10'000; ++i) writer.record(some_record());
  writer.end();
  gzip.finish();
  CHECK(largest < 16 * 1024);
  CHECK(total > 5'000'000);
  auto xml = unpack(packed);
  REQUIRE(xml);
  CHECK(xml->size() == total);
}

std::string feedback(std::string_view inside) {
  return "<feedback><policy_published><domain>a.test</domain></policy_published>" +
         std::string(inside) + "</feedback>";
}

TEST_CASE("the wild's mistakes and other people's tricks") {
  struct Row {
    std::string xml;
    std::string_view expected;  // "RECORDS SUM problem…", or an error's name
  };
  auto record = [](std::string_view ip, std::string_view count) {
    return "<record><row><source_ip>" + std::string(ip) + "</source_ip><count>" +
           std::string(count) + "</count></row></record>";
  };
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  std::string nul_name = "<feedback";
  nul_name += std::string(1000, 'x');
  for (auto& [xml, expected] : std::initializer_list<Row>{
           {feedback(record("192.0.2.1", "3")), "1 3"},
           {feedback(record(" ::1\n", " 4 ")), "1 4"},
           {feedback(record("1.2.3", "3")), "0 0"},
           {feedback("<record><row><count>3</count></row></record>"), "0 0"},
           {feedback(record("192.0.2.1", "-3")), "0 0"},
           {feedback(record("192.0.2.1", "99999999999999999999")), "0 0"},
           {feedback(record("192.0.2.1", "2.0")), "1 2"},
           {feedback("<record></record>"), "1 0"},
           {"\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- x > y --><!DOCTYPE feedback SYSTEM "
            "\"http://x/\">" +
                feedback(record("192.0.2.1", "1")),
            "1 1"},
           {"<d:feedback "
            "xmlns:d='urn:ietf:params:xml:ns:dmarc-2.0'><d:policy_published><d:domain>a.test"
            "</d:domain></d:policy_published></d:feedback>",
            "0 0"},
           {"<feedback><policy_published><domain>a.test</domain><record/></feedback>", "0 0"},
           {feedback("<record><row><source_ip>192.0.2.1</source_ip><count>2</count>"), "1 2"},
           {feedback("<!-- no end " + record("192.0.2.1", "1")), "0 0"},
           {"", "invalid"},
           {"hello", "invalid"},
           {"<html><body>Not found</body></html>", "invalid"},
           {"<feedback></feedback>", "invalid"},
           {"<!DOCTYPE f [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>" + feedback("&b;"),
            "denied"},
           {"<!DOCTYPE f [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" + feedback("&a;"), "denied"},
           {feedback(deep), "too-large"},
           {nul_name, "invalid"},
       }) {
    CAPTURE(xml);
    auto report = parse_aggregate_report(xml);
    if (!report) {
      CHECK(to_string(report.error().code) == expected);
      continue;
    }
    std::uint64_t sum = 0;
    for (auto& one : report->records) sum += one.count;
    CHECK(std::to_string(report->records.size()) + ' ' + std::to_string(sum) == expected);
  }
  AggregateLimits limits;
  limits.records = 3;
  CHECK(parse_aggregate_report(write(some_record(), 3), limits));
  CHECK(parse_aggregate_report(write(some_record(), 4), limits).error().code ==
        ErrorCode::TooLarge);
}

TEST_CASE("charsets and references") {
  auto organisation = [](std::string_view prolog, std::string_view name) {
    auto report = parse_aggregate_report(
        std::string(prolog) + feedback("<report_metadata><org_name>" + std::string(name) +
                                       "</org_name></report_metadata>"));
    return report ? report->metadata.org_name : report.error().text;
  };
  CHECK(organisation("", "a &lt;b&gt; &amp;amp; &#xE9;&#233;") == "a <b> &amp; \xC3\xA9\xC3\xA9");
  CHECK(organisation("", "&unknown; &#0; &#xD800; & b") == "&unknown; &#0; &#xD800; & b");
  CHECK(organisation("", "<![CDATA[a < b]]>") == "a < b");
  CHECK(organisation("<?xml version='1.0' encoding='iso-8859-1'?>", "caf\xE9") == "caf\xC3\xA9");
  CHECK(organisation("<?xml version='1.0' encoding='utf-8'?>", "caf\xE9") == "caf\xEF\xBF\xBD");
  // Written by programs that say UTF-16 and mean UTF-8.
  CHECK(organisation("<?xml version='1.0' encoding='utf-16'?>", "caf\xC3\xA9") == "caf\xC3\xA9");
  std::string wide = "\xFF\xFE";
  for (char c : feedback("<report_metadata><org_name>x</org_name></report_metadata>")) {
    wide += c;
    wide += '\0';
  }
  auto report = parse_aggregate_report(wide);
  REQUIRE(report);
  CHECK(report->metadata.org_name == "x");
}

TEST_CASE("subjects and file names") {
  ReportSubject subject{"example.com", "receiver.test", "1.2@x"};
  CHECK(format_report_subject(subject) ==
        "Report Domain: example.com Submitter: receiver.test Report-ID: <1.2@x>");
  CHECK(parse_report_subject(format_report_subject(subject)) == subject);
  CHECK(parse_report_subject(
            "FW: report domain: Example.com\r\n submitter:  A.test\r\n Report-ID: 7") ==
        ReportSubject{"example.com", "a.test", "7"});
  CHECK(parse_report_subject("Report Domain: example.com")->submitter.empty());
  CHECK(!parse_report_subject("Report Domain: <script>"));
  CHECK(!parse_report_subject("Hello"));
  ReportFileName name{"receiver.test", "example.com", 1, 2, "7"};
  CHECK(format_report_file_name(name, ReportFile::Gzip) ==
        "receiver.test!example.com!1!2!7.xml.gz");
}

}  // namespace
}  // namespace hikyaku::dmarc
