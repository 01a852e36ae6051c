// What `hikyaku check` finds in the configuration: what is weaker than it need be.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "app/check_finding.h"
#include "app/instance.h"
#include "config/config.h"

namespace hikyaku::app {

void check_settings(Findings& findings, const Instance& instance, const config::Config& config,
                    const std::string& host_name);

/// Whether others can read a file of secrets, if it is there.
void check_secrecy(Findings& findings, std::string_view area, const std::filesystem::path& path);

}  // namespace hikyaku::app
