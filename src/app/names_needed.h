// Whether names can be looked up: one judgement for /health, which looks all the time, and for
// `hikyaku check`.
#pragma once

#include <string>

#include "base/phrase.h"
#include "base/task.h"
#include "config/config.h"
#include "dns/resolver.h"

namespace hikyaku::app {

/// A try-out (server.local) without a zone file and a resolver of its own has no names that the DNS
/// could know, and mostly no DNS: nobody asks.
bool needs_dns(const config::Config& config);

/// Why nobody asks then.
inline constexpr Phrase kNeedsNoDns{
    "the DNS was not asked: an instance for trying out (server.local) without dns.zone_file and "
    "dns.resolver has no names there",
    "DNS には問い合わせていません。試用のインスタンス(server.local)は、dns.zone_file も "
    "dns.resolver もなければ、DNS に名前を持ちません"};

/// Looks up our own name: whether it exists does not matter, only that somebody can tell. Empty:
/// yes.
Task<std::string> resolver_problem(dns::Resolver& resolver, std::string host_name);

}  // namespace hikyaku::app
