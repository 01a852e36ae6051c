// Finding the policy for a domain: the DNS Tree Walk and what follows from it (RFC 9989 §4.10).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "dmarc/record.h"
#include "dns/resolver.h"

namespace hikyaku::dmarc {

/// A walk asks at most this many names (RFC 9989 §4.10): the domain, then its last seven labels and
/// what is above them.
inline constexpr std::size_t kWalkQueries = 8;

/// One question and what came of it: the reasons behind a policy.
struct Asked {
  enum class Found : std::uint8_t {
    Record,    ///< one DMARC record
    None,      ///< no such name, no record, or only TXT records of other kinds
    Several,   ///< two or more DMARC records: as if there were none (RFC 9989 §4.10)
    NearMiss,  ///< none, but something that was meant as one (record.h, examine_record)
    Failed,    ///< could not be asked
    Exists,    ///< the question was whether the domain exists (RFC 8020): it does
    DoesNotExist,
  };
  std::string name;
  Found found = Found::None;
  std::chrono::seconds ttl{0};
  bool secure = false;
  std::shared_ptr<const Record> record;  ///< Record only
  std::string text;                      ///< Several, NearMiss: what stands there; Failed: why
};

/// What one walk found, from the longest name to the shortest.
struct Walk {
  struct Found {
    std::string domain;
    std::shared_ptr<const Record> record;
  };
  std::string start;
  std::vector<Found> found;
  bool failed = false;  ///< DNS could not be asked: nothing may be concluded
  std::string problem;

  /// RFC 9989 §4.10.2; meaningless when failed.
  std::string organizational_domain() const;
};

/// Walks, and remembers what was asked, so that several walks in one evaluation ask no name twice.
/// For one evaluation, on one event loop.
class Walker {
 public:
  /// `dns` must outlive it. More than `limit` questions in all end as Failed: signatures are made
  /// by strangers.
  explicit Walker(dns::Resolver& dns, std::size_t limit = 64) : dns_(dns), limit_(limit) {}

  /// From `domain` (A-labels, lower case, no final dot) up. Ends at psd=y, psd=n, at the top label,
  /// and at the first name that cannot be asked.
  Task<Walk> walk(std::string domain);
  /// The question for the record at the domain itself.
  Task<Asked> at(std::string domain);
  /// RFC 8020: false only if the name does not exist. nullopt: could not be asked.
  Task<std::optional<bool>> exists(std::string domain);

  const std::vector<Asked>& asked() const { return asked_; }
  std::vector<Asked> take_asked() { return std::move(asked_); }

 private:
  friend Task<struct Discovery> discover(Walker& walker, std::string author_domain);

  static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);
  /// The place in asked_ of the question for `domain`'s record, or kUnknown.
  std::size_t find(std::string_view domain) const;
  /// Makes the question, its name for the resolver; false: it is answered without asking, and to
  /// be kept as it is.
  bool prepare(std::string_view domain, Asked& asked) const;
  /// Keeps the question about `domain` with its answer; gives its place.
  std::size_t keep(std::string_view domain, dns::Answer<std::string> answer);
  std::size_t keep(Asked asked);

  dns::Resolver& dns_;
  std::size_t limit_;
  std::vector<Asked> asked_;
};

/// Which tag of a record gives the policy.
enum class PolicyTag : std::uint8_t { P, Sp, Np };
std::string_view to_string(PolicyTag tag);

/// The policy that applies to mail of an Author Domain.
struct Discovery {
  enum class State : std::uint8_t {
    Found,
    None,       ///< no record applies: no DMARC
    Unusable,   ///< a record applies, but its policy is broken and it names no address for reports
    TempError,  ///< could not be found out
  };
  State state = State::None;
  std::string author_domain;
  std::string policy_domain;  ///< where the record is
  std::shared_ptr<const Record> record;
  PolicyTag tag = PolicyTag::P;
  Policy published = Policy::None;  ///< what the tag says
  Policy effective = Policy::None;  ///< what is asked for after t=y
  /// The record has no valid policy, but an rua: taken as p=none (RFC 9989 §4.10.1).
  bool broken_policy = false;
  /// Known when it was needed.
  std::optional<std::string> organizational_domain;
  /// False: the author domain does not exist; asked only where np makes a difference.
  std::optional<bool> author_exists;
  std::string problem;  ///< TempError: what failed
};

/// The policy for `author_domain` (A-labels, lower case). `walker` must outlive the task.
Task<Discovery> discover(Walker& walker, std::string author_domain);

}  // namespace hikyaku::dmarc
