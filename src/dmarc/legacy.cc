#include "dmarc/legacy.h"

#include <algorithm>
#include <cstdio>
#include <libpsl.h>

#include "base/text.h"
#include "dmarc/tags_internal.h"
#include "dns/name.h"

namespace hikyaku::dmarc {

struct PublicSuffixes::List {
  const psl_ctx_t* list = psl_builtin();
  bool owned = false;

  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    if (owned) psl_free(const_cast<psl_ctx_t*>(list));
  }
};

PublicSuffixes::PublicSuffixes() : list_(std::make_unique<List>()) {}
PublicSuffixes::PublicSuffixes(std::unique_ptr<List> list) : list_(std::move(list)) {}
PublicSuffixes::~PublicSuffixes() = default;
PublicSuffixes::PublicSuffixes(PublicSuffixes&&) noexcept = default;
PublicSuffixes& PublicSuffixes::operator=(PublicSuffixes&&) noexcept = default;

hikyaku::Result<PublicSuffixes> PublicSuffixes::parse(const std::string& text) {
  auto* file = fmemopen(const_cast<char*>(text.data()), text.size(), "r");
  auto list = std::make_unique<List>();
  list->list = file ? psl_load_fp(file) : nullptr;
  list->owned = true;
  if (file) (void)std::fclose(file);
  if (!list->list || psl_suffix_count(list->list) == 0)
    return fail(ErrorCode::Invalid, "this is no public suffix list");
  return PublicSuffixes(std::move(list));
}

std::optional<std::string> PublicSuffixes::registrable_domain(std::string_view name) const {
  auto ascii = dns::to_ascii(name);
  if (!list_->list || !ascii) return std::nullopt;
  // The list is compared in UTF-8 or A-labels, as its lines happen to be; libpsl holds both.
  auto* found = psl_registrable_domain(list_->list, ascii->c_str());
  return found ? std::optional<std::string>(found) : std::nullopt;
}

bool LegacyOpinion::differs_from(const Verdict& verdict) const {
  auto* outcome = verdict.outcome();
  // What could not be found out is no other opinion.
  if (!outcome || result == Result::TempError) return false;
  bool found = outcome->discovery.state == Discovery::State::Found;
  return result != verdict.result || policy_domain != outcome->discovery.policy_domain ||
         (found && (policy != outcome->policy() || percent != 100));
}

namespace {

unsigned percent_of(const Record& record) {
  auto rest = after_version(record.text);
  Tag tag;
  while (rest && next_tag(*rest, tag))
    if (known_tag(tag.name) == KnownTag::Pct)
      return static_cast<unsigned>(parse_decimal(tag.value, 100).value_or(100));
  return 100;
}

std::string organization(const PublicSuffixes& suffixes, const std::string& domain) {
  return suffixes.registrable_domain(domain).value_or(domain);
}

/// RFC 7489 §3.1.
bool is_aligned(const PublicSuffixes& suffixes, const std::string& candidate,
                const std::string& author, Alignment mode) {
  if (iequals(candidate, author)) return true;
  return mode == Alignment::Relaxed &&
         organization(suffixes, to_lower(candidate)) == organization(suffixes, author);
}

bool has_aligned(const PublicSuffixes& suffixes, const Evidence& evidence, const Record& record,
                 const std::string& author) {
  if (evidence.spf && evidence.spf->result == spf::Result::Pass &&
      is_aligned(suffixes, evidence.spf->domain, author, record.aspf))
    return true;
  return evidence.dkim && std::ranges::any_of(*evidence.dkim, [&](auto& signature) {
           return signature.passed() &&
                  is_aligned(suffixes, signature.domain, author, record.adkim);
         });
}

}  // namespace

Task<LegacyOpinion> legacy_opinion(dns::Resolver& dns, const PublicSuffixes& suffixes,
                                   std::string author_domain, Evidence evidence) {
  LegacyOpinion opinion;
  opinion.organizational_domain = organization(suffixes, author_domain);
  Walker walker(dns);
  auto asked = co_await walker.at(author_domain);
  opinion.policy_domain = author_domain;
  // RFC 7489 §6.6.3: two records at the author end it; none leads to the Organizational Domain.
  if (asked.found != Asked::Found::Several && asked.found != Asked::Found::Failed &&
      !asked.record && opinion.organizational_domain != author_domain) {
    asked = co_await walker.at(opinion.organizational_domain);
    opinion.policy_domain = opinion.organizational_domain;
  }
  if (!asked.record || (!asked.record->p && asked.record->rua().empty())) {
    opinion.result = asked.found == Asked::Found::Failed ? Result::TempError : Result::None;
    opinion.policy_domain.clear();
    co_return opinion;
  }
  auto& record = *asked.record;
  opinion.percent = percent_of(record);
  opinion.policy = record.p && !record.bad_sp ? *record.p : Policy::None;
  if (opinion.policy_domain != author_domain && record.p && record.sp) opinion.policy = *record.sp;
  opinion.result =
      has_aligned(suffixes, evidence, record, author_domain) ? Result::Pass : Result::Fail;
  co_return opinion;
}

}  // namespace hikyaku::dmarc
