// The rules for checking senders, as the configuration has them.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "crypto/master_key.h"
#include "receive/authentication.h"
#include "receive/receiver.h"

namespace hikyaku::app {

receive::AuthenticationSettings authentication_settings(const config::Config& config,
                                                        const std::string& host_name);

/// nullopt: none are to be sent.
std::optional<receive::FailureReportSettings> failure_report_settings(
    const config::Config& config, const crypto::MasterKey& master);

}  // namespace hikyaku::app
