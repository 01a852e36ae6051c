// The rules for checking senders, as the configuration has them.
#pragma once

#include <string>

#include "config/config.h"
#include "receive/authentication.h"

namespace hikyaku::app {

receive::AuthenticationSettings authentication_settings(const config::Config& config,
                                                        const std::string& host_name);

}  // namespace hikyaku::app
