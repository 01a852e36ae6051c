// The SRV records by which mail clients find the server (RFC 6186, RFC 8314 §5.1).
#pragma once

#include <vector>

#include "app/domain_check.h"

namespace hikyaku::app {

/// Whether they are there and lead here; part of check_domain(). `resolver` must outlive the task.
Task<std::vector<DomainFinding>> check_client_records(dns::Resolver& resolver, DomainToCheck wanted,
                                                      Language language);

}  // namespace hikyaku::app
