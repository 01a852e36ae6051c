// Reading aggregate reports, those of the wild among them.
#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "dmarc/aggregate_report.h"
#include "dmarc/xml_reader.h"
#include "dns/name.h"

namespace hikyaku::dmarc {
namespace {

constexpr std::size_t kMostProblems = 20;
constexpr std::size_t kMostExtensions = 32;
constexpr std::size_t kMostReasons = 16;

std::optional<dkim::Result> dkim_result(std::string_view text) {
  using dkim::Result;
  for (auto result : {Result::None, Result::Pass, Result::Fail, Result::Policy, Result::Neutral,
                      Result::TempError, Result::PermError})
    if (iequals(text, dkim::to_string(result))) return result;
  if (iequals(text, "hardfail")) return Result::Fail;
  return std::nullopt;
}

std::optional<spf::Result> spf_result(std::string_view text) {
  using spf::Result;
  for (auto result : {Result::None, Result::Neutral, Result::Pass, Result::Fail, Result::SoftFail,
                      Result::TempError, Result::PermError})
    if (iequals(text, spf::to_string(result))) return result;
  // Words of drafts and of old checkers.
  if (iequals(text, "hardfail")) return Result::Fail;
  if (iequals(text, "unknown")) return Result::PermError;
  if (iequals(text, "error")) return Result::TempError;
  return std::nullopt;
}

std::optional<OverrideType> override_type(std::string_view text) {
  for (auto type : {OverrideType::LocalPolicy, OverrideType::MailingList, OverrideType::Other,
                    OverrideType::PolicyTestMode, OverrideType::TrustedForwarder})
    if (iequals(text, to_string(type))) return type;
  if (iequals(text, "forwarded")) return OverrideType::TrustedForwarder;
  if (iequals(text, "sampled_out")) return OverrideType::Other;
  return std::nullopt;
}

std::optional<Applied> applied(std::string_view text) {
  for (auto value : {Applied::None, Applied::Pass, Applied::Quarantine, Applied::Reject})
    if (iequals(text, to_string(value))) return value;
  return std::nullopt;
}

std::optional<Alignment> alignment(std::string_view text) {
  if (iequals(text, "r") || iequals(text, "relaxed")) return Alignment::Relaxed;
  if (iequals(text, "s") || iequals(text, "strict")) return Alignment::Strict;
  return std::nullopt;
}

class ReportParser {
 public:
  ReportParser(std::string_view xml, const std::function<void(ReportRecord)>& on_record,
               const AggregateLimits& limits)
      : reader_(xml), on_record_(on_record), limits_(limits) {}

  hikyaku::Result<AggregateReport> run() {
    while (true) {
      TRY(auto event, reader_.next());
      if (event == XmlReader::Event::Finished) break;
      if (event == XmlReader::Event::Start)
        start();
      else
        TRY_DO(end());
    }
    if (!seen_) return fail(ErrorCode::Invalid, "there is no <feedback> in it");
    if (report_.policy.domain.empty())
      return fail(ErrorCode::Invalid, "the report does not say about which domain it is");
    for (auto& problem : reader_.problems()) note(problem);
    if (report_.metadata.report_id.empty()) note("there is no report_id");
    if (report_.metadata.begin > report_.metadata.end) note("it ends before it begins");
    if (report_.schema == AggregateReport::Schema::Unstated) guess_schema();
    return std::move(report_);
  }

 private:
  using Handler = void (ReportParser::*)(std::string_view);
  struct Entry {
    std::string_view path;
    Handler handler;
  };
  static const std::array<Entry, 41> kEntries;

  void note(std::string_view problem) {
    if (report_.problems.size() < kMostProblems &&
        std::ranges::find(report_.problems, problem) == report_.problems.end())
      report_.problems.emplace_back(problem);
  }
  void unknown(std::string_view what, std::string_view value) {
    note(std::string(what) + " is \"" + printable(value, 60) + "\"");
  }
  std::string cut(std::string_view text) const {
    return std::string(utf8_prefix(text, limits_.text_bytes));
  }

  void start() {
    auto& name = reader_.name();
    if (depth_ == 0) {
      // What stands around it (a schema, in some reports) says which one it is, too.
      look_at_namespace();
      if (name == "feedback" && !seen_) {
        depth_ = 1;
        seen_ = true;
      }
      return;
    }
    lengths_.push_back(path_.size());
    if (!path_.empty()) path_ += '/';
    path_ += name == "identities" ? "identifiers" : name;
    ++depth_;
    if (path_ == "record") {
      record_ = {};
      bad_source_ = bad_count_ = false;
    } else if (path_ == "record/row/policy_evaluated/reason") {
      reason_ = {};
      has_reason_ = false;
    } else if (path_ == "record/auth_results/dkim") {
      dkim_ = {};
    } else if (path_ == "record/auth_results/spf") {
      spf_ = {};
    } else if (is_extension(name)) {
      if (report_.extensions.size() < kMostExtensions)
        report_.extensions.push_back(cut(reader_.attribute("name").value_or(name)));
    }
  }

  /// A child of an extension block, or a namespaced child of a record.
  bool is_extension(const std::string& name) const {
    auto parent = std::string_view(path_).substr(0, lengths_.back());
    if (parent == "extension" || parent == "extensions" || parent == "record/extensions")
      return true;
    return parent == "record" && !reader_.prefix().empty() && name != "row" &&
           name != "identifiers" && name != "auth_results";
  }

  void look_at_namespace() {
    static constexpr std::string_view kNames[] = {"xmlns", "xmlns:xs", "targetNamespace"};
    auto look = [&](std::string_view value) {
      if (value == kReportNamespace) report_.schema = AggregateReport::Schema::Rfc9990;
      if (value.starts_with(kOldReportNamespace)) report_.schema = AggregateReport::Schema::Rfc7489;
    };
    for (auto name : kNames)
      if (auto value = reader_.attribute(name)) look(*value);
    if (!reader_.prefix().empty())
      if (auto value = reader_.attribute("xmlns:" + reader_.prefix())) look(*value);
  }

  void guess_schema() {
    if (new_elements_)
      report_.schema = AggregateReport::Schema::Rfc9990;
    else if (old_elements_)
      report_.schema = AggregateReport::Schema::Rfc7489;
  }

  hikyaku::Result<void> end() {
    if (depth_ == 0) return {};
    if (--depth_ == 0) return {};
    auto text = reader_.text();
    for (auto& [path, handler] : kEntries)
      if (path == path_) (this->*handler)(text);
    if (path_ == "record") TRY_DO(end_record());
    path_.resize(lengths_.back());
    lengths_.pop_back();
    return {};
  }

  hikyaku::Result<void> end_record() {
    if (bad_source_) note("a record without a readable source_ip is left out");
    if (bad_count_) note("a record whose count is no number is left out");
    if (bad_source_ || bad_count_) {
      ++report_.left_out;
      return {};
    }
    if (++count_ > limits_.records)
      return fail(ErrorCode::TooLarge, "the report has more than {} records", limits_.records);
    on_record_(std::move(record_));
    record_ = {};
    return {};
  }

  std::int64_t number(std::string_view text) {
    // Some write a fraction; what is no number becomes 0, and is said.
    auto value = parse_decimal(text.substr(0, text.find('.')), INT64_MAX);
    if (!value) unknown("a number", text);
    return static_cast<std::int64_t>(value.value_or(0));
  }
  std::string domain(std::string_view text) {
    while (text.ends_with('.')) text.remove_suffix(1);
    return to_lower(cut(text));
  }
  std::optional<Policy> policy(std::string_view text) {
    if (text.empty()) return std::nullopt;
    auto value = parse_policy(text);
    if (!value) unknown("a policy", text);
    return value;
  }

  // One function for each element.
  void version(std::string_view text) { report_.version = cut(text); }
  void org_name(std::string_view text) { report_.metadata.org_name = cut(text); }
  void email(std::string_view text) { report_.metadata.email = cut(text); }
  void extra(std::string_view text) { report_.metadata.extra_contact_info = cut(text); }
  void report_id(std::string_view text) { report_.metadata.report_id = cut(text); }
  void begin(std::string_view text) { report_.metadata.begin = number(text); }
  void finish(std::string_view text) { report_.metadata.end = number(text); }
  void error(std::string_view text) {
    auto& error = report_.metadata.error;  // old reports may have several
    if (!error.empty() && !text.empty()) error += "; ";
    error = cut(error + std::string(text));
  }
  void generator(std::string_view text) {
    report_.metadata.generator = cut(text);
    new_elements_ = true;
  }
  void policy_domain(std::string_view text) { report_.policy.domain = domain(text); }
  void discovery_method(std::string_view text) {
    new_elements_ = true;
    if (iequals(text, "treewalk"))
      report_.policy.discovery_method = DiscoveryMethod::TreeWalk;
    else if (iequals(text, "psl"))
      report_.policy.discovery_method = DiscoveryMethod::PublicSuffixList;
    else
      unknown("discovery_method", text);
  }
  void p(std::string_view text) { report_.policy.p = policy(text); }
  void sp(std::string_view text) { report_.policy.sp = policy(text); }
  void np(std::string_view text) {
    report_.policy.np = policy(text);
    new_elements_ = true;
  }
  void fo(std::string_view text) { report_.policy.fo = cut(text); }
  void adkim(std::string_view text) { report_.policy.adkim = alignment(text); }
  void aspf(std::string_view text) { report_.policy.aspf = alignment(text); }
  void testing(std::string_view text) {
    report_.policy.testing = iequals(text, "y") || iequals(text, "true");
    new_elements_ = true;
  }
  void pct(std::string_view text) {
    if (auto value = parse_decimal(text, 100)) report_.policy.pct = static_cast<unsigned>(*value);
    old_elements_ = true;
  }
  void source_ip(std::string_view text) {
    auto address = IpAddress::parse(text);
    if (address) record_.source = *address;
    bad_source_ = !address;
    has_source_ = true;
  }
  void count(std::string_view text) {
    auto value = parse_decimal(text.substr(0, text.find('.')), INT64_MAX);
    bad_count_ = !value;
    record_.count = value.value_or(0);
  }
  void disposition(std::string_view text) {
    if (auto value = applied(text))
      record_.disposition = *value;
    else if (!text.empty())
      unknown("a disposition", text);
    if (iequals(text, "pass")) new_elements_ = true;
  }
  void evaluated_dkim(std::string_view text) { record_.dkim_aligned = iequals(text, "pass"); }
  void evaluated_spf(std::string_view text) { record_.spf_aligned = iequals(text, "pass"); }
  void reason_type(std::string_view text) {
    if (text.empty()) return;  // an empty reason is none
    auto type = override_type(text);
    if (!type) unknown("the type of a reason", text);
    reason_.type = type.value_or(OverrideType::Other);
    has_reason_ = true;
    if (iequals(text, "sampled_out") || iequals(text, "forwarded")) old_elements_ = true;
  }
  void reason_comment(std::string_view text) {
    reason_.comment = cut(text);
    has_reason_ = has_reason_ || !text.empty();
  }
  void reason(std::string_view) {
    if (has_reason_ && record_.reasons.size() < kMostReasons)
      record_.reasons.push_back(std::move(reason_));
    reason_ = {};
  }
  void header_from(std::string_view text) { record_.header_from = domain(text); }
  void envelope_from(std::string_view text) { record_.envelope_from = domain(text); }
  void envelope_to(std::string_view text) { record_.envelope_to = domain(text); }
  void dkim_domain(std::string_view text) { dkim_.domain = domain(text); }
  void dkim_selector(std::string_view text) { dkim_.selector = cut(text); }
  void dkim_outcome(std::string_view text) {
    auto result = dkim_result(text);
    if (!result && !text.empty()) unknown("a DKIM result", text);
    dkim_.result = result.value_or(dkim::Result::None);
  }
  void dkim_words(std::string_view text) { dkim_.human_result = cut(text); }
  void dkim(std::string_view) {
    if (record_.dkim.size() < limits_.results)
      record_.dkim.push_back(std::move(dkim_));
    else
      note("a record has more signatures than are kept");
  }
  void spf_domain(std::string_view text) { spf_.domain = domain(text); }
  void spf_scope(std::string_view text) {
    if (iequals(text, "mfrom")) spf_.scope = ReportedSpf::Scope::MailFrom;
    if (iequals(text, "helo")) {
      spf_.scope = ReportedSpf::Scope::Helo;
      old_elements_ = true;
    }
  }
  void spf_outcome(std::string_view text) {
    spf_.by_policy = iequals(text, "policy");
    auto result = spf_result(text);
    if (!result && !text.empty() && !spf_.by_policy) unknown("an SPF result", text);
    spf_.result = result.value_or(spf::Result::None);
  }
  void spf_words(std::string_view text) { spf_.human_result = cut(text); }
  void spf(std::string_view) {
    if (record_.spf.size() < limits_.results) record_.spf.push_back(std::move(spf_));
  }
  void row(std::string_view) {
    if (!has_source_) bad_source_ = true;
    has_source_ = false;
  }

  XmlReader reader_;
  const std::function<void(ReportRecord)>& on_record_;
  const AggregateLimits& limits_;
  AggregateReport report_;
  std::string path_;                  // below <feedback>
  std::vector<std::size_t> lengths_;  // of path_ before each element
  std::size_t depth_ = 0;             // of elements from <feedback> on
  std::size_t count_ = 0;
  bool seen_ = false, new_elements_ = false, old_elements_ = false;
  ReportRecord record_;
  Override reason_;
  bool has_reason_ = false, bad_source_ = false, bad_count_ = false, has_source_ = false;
  ReportedDkim dkim_;
  ReportedSpf spf_;
};

const std::array<ReportParser::Entry, 41> ReportParser::kEntries{{
    {"version", &ReportParser::version},
    {"report_metadata/org_name", &ReportParser::org_name},
    {"report_metadata/email", &ReportParser::email},
    {"report_metadata/extra_contact_info", &ReportParser::extra},
    {"report_metadata/report_id", &ReportParser::report_id},
    {"report_metadata/date_range/begin", &ReportParser::begin},
    {"report_metadata/date_range/end", &ReportParser::finish},
    {"report_metadata/error", &ReportParser::error},
    {"report_metadata/generator", &ReportParser::generator},
    {"policy_published/domain", &ReportParser::policy_domain},
    {"policy_published/discovery_method", &ReportParser::discovery_method},
    {"policy_published/p", &ReportParser::p},
    {"policy_published/sp", &ReportParser::sp},
    {"policy_published/np", &ReportParser::np},
    {"policy_published/fo", &ReportParser::fo},
    {"policy_published/adkim", &ReportParser::adkim},
    {"policy_published/aspf", &ReportParser::aspf},
    {"policy_published/testing", &ReportParser::testing},
    {"policy_published/pct", &ReportParser::pct},
    {"record/row", &ReportParser::row},
    {"record/row/source_ip", &ReportParser::source_ip},
    {"record/row/count", &ReportParser::count},
    {"record/row/policy_evaluated/disposition", &ReportParser::disposition},
    {"record/row/policy_evaluated/dkim", &ReportParser::evaluated_dkim},
    {"record/row/policy_evaluated/spf", &ReportParser::evaluated_spf},
    {"record/row/policy_evaluated/reason", &ReportParser::reason},
    {"record/row/policy_evaluated/reason/type", &ReportParser::reason_type},
    {"record/row/policy_evaluated/reason/comment", &ReportParser::reason_comment},
    {"record/identifiers/header_from", &ReportParser::header_from},
    {"record/identifiers/envelope_from", &ReportParser::envelope_from},
    {"record/identifiers/envelope_to", &ReportParser::envelope_to},
    {"record/auth_results/dkim", &ReportParser::dkim},
    {"record/auth_results/dkim/domain", &ReportParser::dkim_domain},
    {"record/auth_results/dkim/selector", &ReportParser::dkim_selector},
    {"record/auth_results/dkim/result", &ReportParser::dkim_outcome},
    {"record/auth_results/dkim/human_result", &ReportParser::dkim_words},
    {"record/auth_results/spf", &ReportParser::spf},
    {"record/auth_results/spf/domain", &ReportParser::spf_domain},
    {"record/auth_results/spf/scope", &ReportParser::spf_scope},
    {"record/auth_results/spf/result", &ReportParser::spf_outcome},
    {"record/auth_results/spf/human_result", &ReportParser::spf_words},
}};

}  // namespace

hikyaku::Result<AggregateReport> parse_aggregate_report(
    std::string_view bytes, const std::function<void(ReportRecord)>& on_record,
    const AggregateLimits& limits) {
  if (bytes.size() > limits.bytes)
    return fail(ErrorCode::TooLarge, "the report has more than {} bytes", limits.bytes);
  auto xml = xml_text(bytes);
  return ReportParser(xml, on_record, limits).run();
}

hikyaku::Result<AggregateReport> parse_aggregate_report(std::string_view bytes,
                                                        const AggregateLimits& limits) {
  std::vector<ReportRecord> records;
  TRY(auto report,
      parse_aggregate_report(
          bytes, [&](ReportRecord record) { records.push_back(std::move(record)); }, limits));
  report.records = std::move(records);
  return report;
}

}  // namespace hikyaku::dmarc
