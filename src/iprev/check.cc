#include "iprev/check.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "dns/name.h"

namespace hikyaku::iprev {
namespace {

std::string list_of(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string_view to_string(Result result) {
  switch (result) {
    case Result::Pass:
      return "pass";
    case Result::Fail:
      return "fail";
    case Result::TempError:
      return "temperror";
    case Result::PermError:
      break;
  }
  return "permerror";
}

Task<Verdict> check(dns::Resolver& dns, IpAddress address, Limits limits) {
  Verdict verdict;
  auto pointers = co_await dns.ptr(address);
  verdict.ttl = pointers.ttl;
  if (pointers.failed()) {
    verdict.problem = "the name of the address could not be asked for";
    co_return verdict;
  }
  verdict.result = Result::PermError;
  verdict.problem = "the address has no name";
  bool failed = false;
  for (auto& name : pointers.records) {
    // Anything may stand in a PTR record; what is no host name has no address either.
    if (!dns::is_host_name(name)) continue;
    if (verdict.names.size() == limits.names) break;
    verdict.names.push_back(to_lower(name));
    auto addresses = address.is_v4() ? co_await dns.a(name) : co_await dns.aaaa(name);
    failed |= addresses.failed();
    if (std::ranges::find(addresses.records, address) == addresses.records.end()) continue;
    verdict.result = Result::Pass;
    verdict.name = verdict.names.back();
    verdict.problem.clear();
    verdict.ttl = std::min(verdict.ttl, addresses.ttl);
    co_return verdict;
  }
  if (failed) {
    verdict.result = Result::TempError;
    verdict.problem = "its names could not all be asked for: " + list_of(verdict.names);
  } else if (!verdict.names.empty()) {
    verdict.result = Result::Fail;
    verdict.problem = "its names do not lead back to it: " + list_of(verdict.names);
  }
  co_return verdict;
}

}  // namespace hikyaku::iprev
