// check: the function check_host() of RFC 7208 §4.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/ip.h"
#include "base/task.h"
#include "base/time.h"
#include "dns/resolver.h"
#include "spf/verdict.h"

namespace hikyaku::spf {

/// Whom to check. Strings as the client said them: nothing in them is trusted.
struct Query {
  IpAddress ip;           ///< the client's; IPv4-mapped ones are IPv4 (§5)
  std::string helo;       ///< what it said in EHLO or HELO
  std::string mail_from;  ///< the reverse path without its brackets; "" is the null path
  std::string receiver;   ///< our host name, for explanations (%{r})
  /// MailFrom with a null path asks about postmaster@HELO (§2.4).
  Identity identity = Identity::MailFrom;
};

struct Limits {
  unsigned lookups = 10;              ///< terms that ask the DNS, in all records (§4.6.4)
  unsigned void_lookups = 2;          ///< of them, how many may find nothing (§4.6.4)
  std::size_t names_per_mx = 10;      ///< exchanges whose addresses are asked for; more: permerror
  std::size_t names_per_ptr = 10;     ///< host names of the client that are looked at
  std::size_t explanation = 400;      ///< bytes; the rest is cut off
  std::chrono::seconds deadline{20};  ///< for the whole check, by the clock (§4.6.4)
};

/// Checks one identity. Never fails: what goes wrong is a verdict (TempError, PermError, None).
/// Every question ends within the resolver's own limit; the deadline is looked at after each. At
/// most lookups × (1 + the larger of names_per_mx and names_per_ptr) + 2 questions are asked.
/// `resolver` and `clock` must outlive the task.
Task<Verdict> check(dns::Resolver& resolver, const Clock& clock, Query query, Limits limits = {});

}  // namespace hikyaku::spf
