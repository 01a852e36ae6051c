// What the DNS says of a domain of ours, against what it should say.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "app/json.h"
#include "base/ip.h"
#include "base/phrase.h"
#include "base/task.h"
#include "base/time.h"
#include "dns/resolver.h"

namespace hikyaku::app {

/// One thing that was looked at.
struct DomainFinding {
  enum class Level { Good, Note, Problem, Unchecked };
  Level level = Level::Good;
  std::string name;             ///< whose record, without final dot
  std::string type;             ///< "MX"
  std::chrono::seconds ttl{0};  ///< for how long others may still see what there is; 0: nothing is
  std::string what;             ///< in words
  std::string remedy;           ///< what to do; empty when nothing is to be done
};

/// What is to be found.
struct DomainToCheck {
  std::string domain;
  std::string host_name;
  std::vector<IpAddress> addresses;       ///< of this server; empty: not known
  std::uint16_t port_base = 0;            ///< of its ports
  bool has_reverse = true;                ///< false: on loopback nobody looks at the way back
  std::string report_address;             ///< local part or address; empty: none
  std::vector<boost::json::object> keys;  ///< items of dkim.list
};

/// Asks for every record. `resolver` and `clock` must outlive the task.
Task<std::vector<DomainFinding>> check_domain(dns::Resolver& resolver, const Clock& clock,
                                              DomainToCheck wanted, Language language);

}  // namespace hikyaku::app
