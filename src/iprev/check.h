// iprev: does a name of the client's address lead back to it (RFC 8601 §3)?
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/task.h"
#include "dns/resolver.h"

namespace hikyaku::iprev {

/// RFC 8601 §2.7.3.
enum class Result : std::uint8_t {
  Pass,       ///< a name of the address has the address
  Fail,       ///< the address has names, and none of them has the address
  TempError,  ///< the DNS could not be asked
  PermError,  ///< the address has no name
};
/// "pass", "fail", "temperror", "permerror".
std::string_view to_string(Result result);

struct Limits {
  std::size_t names = 4;  ///< of the address that are looked up; more are seldom anything but noise
};

struct Verdict {
  Result result = Result::TempError;
  std::string name;                ///< the confirmed host name, for Pass
  std::vector<std::string> names;  ///< what the address calls itself, as far as looked at: claims
  std::string problem;             ///< why it is no Pass, in English for people
  std::chrono::seconds ttl{0};

  bool passed() const { return result == Result::Pass; }
};

/// One PTR question, and one of A or AAAA for each name. `dns` must outlive the task.
Task<Verdict> check(dns::Resolver& dns, IpAddress address, Limits limits = {});

}  // namespace hikyaku::iprev
