// What `hikyaku check` finds in the DNS: whether it answers, and what it says about the domains and
// about the way back from the server's address. (One domain in every detail: domain_check.h.)
#pragma once

#include <string>
#include <vector>

#include "app/check_finding.h"
#include "app/terminal.h"
#include "config/config.h"

namespace hikyaku::app {

/// Asks the resolver of the options; `terminal` shows that it waits. Blocks.
void check_names(Findings& findings, const config::Config& config, const std::string& host_name,
                 const std::vector<std::string>& domains, Terminal& terminal);

}  // namespace hikyaku::app
