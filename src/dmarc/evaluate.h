// Evaluate: does what SPF and DKIM found speak for the domain that a reader is shown (RFC 9989 §4,
// §5)?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "dkim/verdict.h"
#include "dmarc/author.h"
#include "dmarc/policy.h"
#include "dns/resolver.h"
#include "spf/verdict.h"

namespace hikyaku::dmarc {

/// As in Authentication-Results (RFC 8601 §2.7, RFC 9989 §4.9).
enum class Result : std::uint8_t {
  None,       ///< no policy applies: DMARC says nothing
  Pass,       ///< an aligned identifier passed, for every domain that a reader is shown
  Fail,       ///< none did, or the From field can be read in several ways
  TempError,  ///< DNS could not be asked: neither
  PermError,  ///< there is no author domain that could be checked
};
std::string_view to_string(Result result);

enum class Method : std::uint8_t { Spf, Dkim };
std::string_view to_string(Method method);

/// An identifier that passed by itself, held against one author domain.
struct Identifier {
  Method method = Method::Dkim;
  std::string domain;
  Alignment mode = Alignment::Relaxed;  ///< what the record asks for
  /// nullopt: not looked at (another one of its method was aligned already, or too many), or its
  /// Organizational Domain could not be found out (`failed`).
  std::optional<bool> aligned;
  bool failed = false;
  std::string organizational_domain;  ///< when it was needed
};

/// DMARC for one author domain.
struct Outcome {
  Result result = Result::None;
  Discovery discovery;
  std::vector<Identifier> identifiers;
  bool spf_aligned = false;   ///< what reports call policy_evaluated/spf
  bool dkim_aligned = false;  ///< and dkim
  /// The author's Organizational Domain, when it was needed.
  std::optional<std::string> organizational_domain;

  /// The policy that applies to mail that fails: p=none when there is none.
  Policy policy() const { return discovery.effective; }
};

/// What DMARC says of a message, with everything that led there.
struct Verdict {
  Result result = Result::None;
  Author author;
  /// One for each author domain; when the From field can be read in several ways, also for the
  /// domains of the other readings.
  std::vector<Outcome> outcomes;
  /// The outcome that decides: the strictest policy among those that failed, else the first. An
  /// index into `outcomes`; without outcomes there is none.
  std::size_t decisive = 0;
  /// It failed, but a signature or SPF could not be checked for the moment: it may pass later.
  bool may_pass_later = false;
  std::vector<Asked> asked;

  const Outcome* outcome() const {
    return decisive < outcomes.size() ? &outcomes[decisive] : nullptr;
  }
  /// What the owner asks for: None unless the result is Fail.
  Policy policy() const;
  /// The domain of header.from; empty without an author.
  std::string_view header_from() const;
};

/// What SPF and DKIM found.
struct Evidence {
  /// Of the MAIL FROM identity; with a null reverse-path of postmaster@HELO, whose domain is the
  /// HELO name (RFC 7208 §2.4). A check of HELO alone is no evidence. nullptr: not checked.
  const spf::Verdict* spf = nullptr;
  /// In the order of the signatures. nullptr: not checked.
  const std::vector<dkim::Verdict>* dkim = nullptr;
};

struct EvaluateLimits {
  std::size_t signing_domains = 8;  ///< distinct d= that are walked
  std::size_t questions = 64;       ///< in all
};

/// Everything together. `dns` and what `evidence` points to must outlive the task.
Task<Verdict> evaluate(dns::Resolver& dns, Author author, Evidence evidence,
                       EvaluateLimits limits = {});

}  // namespace hikyaku::dmarc
