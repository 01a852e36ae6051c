// What `hikyaku check` finds about the certificates of the options: dates, names, keys.
#pragma once

#include <string>

#include "app/check_finding.h"
#include "base/time.h"
#include "config/config.h"

namespace hikyaku::app {

void check_certificates(Findings& findings, const config::Config& config,
                        const std::string& host_name, Time now);

}  // namespace hikyaku::app
