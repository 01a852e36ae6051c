// What RFC 7489 would have said: the Organizational Domain by the Public Suffix List, `pct`. Only
// to explain why others, who still do so, come to another result; nothing is decided by it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "dmarc/evaluate.h"

namespace hikyaku::dmarc {

/// The Public Suffix List. Immutable; from any thread.
class PublicSuffixes {
 public:
  /// The list that libpsl was built with.
  PublicSuffixes();
  /// A list's text (public_suffix_list.dat). Invalid when it is none.
  static hikyaku::Result<PublicSuffixes> parse(const std::string& text);
  ~PublicSuffixes();
  PublicSuffixes(PublicSuffixes&&) noexcept;
  PublicSuffixes& operator=(PublicSuffixes&&) noexcept;

  /// The suffix and one label more (A-labels). nullopt: the name is a suffix itself, or no name.
  std::optional<std::string> registrable_domain(std::string_view name) const;

 private:
  struct List;
  explicit PublicSuffixes(std::unique_ptr<List> list);
  std::unique_ptr<List> list_;
};

/// The outcome by the old rules.
struct LegacyOpinion {
  Result result = Result::None;
  Policy policy = Policy::None;       ///< `sp` for subdomains of the Organizational Domain
  std::string policy_domain;          ///< empty: none
  std::string organizational_domain;  ///< of the author
  unsigned percent = 100;             ///< pct

  /// True if the old rules end otherwise: another result, policy, or place of the policy.
  bool differs_from(const Verdict& verdict) const;
};

/// For the first author domain; asks at most two names. `dns`, `suffixes` and what `evidence`
/// points to must outlive the task.
Task<LegacyOpinion> legacy_opinion(dns::Resolver& dns, const PublicSuffixes& suffixes,
                                   std::string author_domain, Evidence evidence);

}  // namespace hikyaku::dmarc
