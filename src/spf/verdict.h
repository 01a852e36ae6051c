// Verdict: what SPF (RFC 7208) says of a sender, with everything that led there.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dns/record.h"
#include "dns/resolver.h"

namespace hikyaku::spf {

/// RFC 7208 §2.6.
enum class Result : std::uint8_t {
  None,       ///< no record, or nothing that could have one: SPF says nothing
  Neutral,    ///< the domain says that it does not say
  Pass,       ///< this host may send for the domain
  Fail,       ///< it may not
  SoftFail,   ///< probably not
  TempError,  ///< the DNS could not be asked; may pass later
  PermError,  ///< the domain's records cannot be read as they are
};
/// "none", "softfail", "temperror", as they are written in header fields (RFC 8601 §2.7.2).
std::string_view to_string(Result result);

/// Which name of the sender was asked about (RFC 7208 §2.3, §2.4).
enum class Identity : std::uint8_t { MailFrom, Helo };
/// "mailfrom", "helo" (RFC 7208 §9.1).
std::string_view to_string(Identity identity);

/// Why there is no answer of the domain's own; None when there is one.
enum class Problem : std::uint8_t {
  None,
  NoDomain,         ///< nothing to check: no domain, an address literal, one label (§4.3)
  NoRecord,         ///< the domain publishes no SPF record (§4.5)
  NoSuchDomain,     ///< the domain does not exist (§4.3)
  SeveralRecords,   ///< more than one SPF record (§4.5)
  Syntax,           ///< a record does not follow the grammar (§4.6)
  MissingTarget,    ///< include or redirect of a domain without SPF record (§5.2, §6.1)
  Loop,             ///< include or redirect of a record that is being read already
  TooManyLookups,   ///< more terms that ask the DNS than allowed (§4.6.4)
  TooManyVoid,      ///< more lookups that found nothing than allowed (§4.6.4)
  TooManyNames,     ///< an mx term with more exchanges than allowed (§4.6.4)
  LookupFailed,     ///< the DNS did not answer (§2.6.6)
  DeadlineExceeded  ///< the whole check took too long (§4.6.4)
};

/// "no-record", "too-many-lookups", as in JSON and the story; "" for None.
std::string_view to_string(Problem problem);

/// One SPF record that was read.
struct Policy {
  std::string domain;  ///< whose, as asked for
  std::string text;    ///< the record: bytes from strangers
};

/// What a term did.
enum class Effect : std::uint8_t {
  NoMatch,    ///< on to the next term
  Match,      ///< the record's answer is this term's qualifier
  Followed,   ///< redirect: the answer is that of another record; exp: the explanation was fetched
  Abandoned,  ///< exp: there is no explanation to be had; does not change the result
  TempError,  ///< the check ended here
  PermError   ///< the check ended here
};
std::string_view to_string(Effect effect);

/// A term that was tried, in the order of trying. The terms of an included record follow their
/// `include`, one deeper.
struct Step {
  std::string_view term;     ///< as it stands in the record: bytes from strangers
  std::uint16_t policy = 0;  ///< in which record: index into Verdict::policies
  std::uint8_t depth = 0;    ///< 0: in the domain's own record
  Effect effect = Effect::NoMatch;
  std::uint16_t first_lookup = 0;  ///< its questions in Verdict::lookups, those of included records
  std::uint16_t lookup_count = 0;  ///< among them
};

/// A question that was asked of the DNS.
struct Lookup {
  std::string name;
  dns::Type type = dns::Type::TXT;
  dns::Status status = dns::Status::Failed;
  std::uint16_t records = 0;  ///< how many were found
  std::chrono::seconds ttl{0};
};

/// A value with its reasons; header fields, log and story are written from it. May be copied and
/// moved: the views in `steps` point into `policies`, which copies share.
struct Verdict {
  Result result = Result::None;
  Identity identity = Identity::MailFrom;
  std::string domain;  ///< the checked domain, lower case; what DMARC aligns
  /// The term that decided, as it stands in the record; "default" when none matched, empty without
  /// a record.
  std::string_view mechanism;
  /// For Fail, what the domain wants people to be told (exp=, §6.2): printable ASCII in the words
  /// of strangers. Show it as theirs ("example.org explains: …"), never as ours.
  std::string explanation;
  Problem problem = Problem::None;
  /// The problem in words (English, printable, one line): what, where, in which record.
  std::string detail;

  std::vector<std::shared_ptr<const Policy>> policies;
  std::vector<Step> steps;
  std::vector<Lookup> lookups;
};

}  // namespace hikyaku::spf
