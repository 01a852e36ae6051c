// Whether the files that the server reads are there, and open to its user.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/check_finding.h"
#include "app/instance.h"
#include "config/config.h"

namespace hikyaku::app {

/// What of the instance's files the server's user cannot read, with the remedy. Asked by whom that
/// tells nothing about the server, it finds nothing. No other threads run.
void check_files(Findings& findings, const Instance& instance, const config::Config& config);

/// A file that hikyaku.toml names and the server could not use.
struct NamedFile {
  std::filesystem::path file;
  std::string what;
};
/// Those that are not there, or closed to the server's user. `language` is that of `what`. No other
/// threads run.
std::vector<NamedFile> find_unusable(const Instance& instance, const config::Config& config,
                                     Language language);

}  // namespace hikyaku::app
