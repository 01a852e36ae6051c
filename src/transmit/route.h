// Where mail for a domain goes (RFC 5321 §5.1, RFC 7505): the hosts in the order in which to try
// them.
#pragma once

#include <string>
#include <vector>

#include "base/ip.h"
#include "base/task.h"
#include "crypto/random.h"
#include "dns/resolver.h"
#include "smtp/reply.h"
#include "story/story.h"

namespace hikyaku::transmit {

struct Host {
  std::string name;
  std::vector<IpAddress> addresses;  ///< A before AAAA
};

/// The way to a domain, or why there is none.
struct Route {
  enum class Kind {
    Hosts,      ///< `hosts` has at least one, each with an address
    Permanent,  ///< no such domain, null MX, or it leads back here
    Temporary,  ///< the DNS could not tell
  };
  Kind kind = Kind::Temporary;
  std::vector<Host> hosts;
  smtp::EnhancedStatus status;           ///< with Permanent and Temporary
  std::string problem;                   ///< likewise, in words
  std::vector<story::Finding> findings;  ///< what was looked up
};

/// Who we are: hosts that mail must not be sent to, because it came from there.
struct Self {
  std::string host_name;
  std::vector<IpAddress> addresses;  ///< on which port 25 (or what stands for it) is ours
};

/// `domain`: as in the queue, lower-case A-labels, or an address literal. MX hosts by preference,
/// those of one preference in random order; without MX the domain itself; hosts at or behind our
/// own preference are left out (§5.1).
Task<Route> find_route(dns::Resolver& resolver, std::string domain, const Self& self,
                       crypto::Random& random);

}  // namespace hikyaku::transmit
