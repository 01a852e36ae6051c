// What a reload makes of the options that differ: which of them count at once, which only after a
// restart, and why.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/instance.h"
#include "app/sandbox.h"
#include "base/log.h"
#include "base/result.h"
#include "config/config.h"
#include "config/load.h"
#include "config/options.h"
#include "net/tls.h"

namespace hikyaku::app {

struct ReloadedOption {
  enum class Outcome {
    Applied,
    AfterRestart,
    Refused,  ///< `err` says why; the value before stays
  };
  const config::Option* option = nullptr;
  std::string after;  ///< as TOML
  Outcome outcome = Outcome::Applied;
  /// AfterRestart, of an option that would count at once otherwise: what the running server cannot
  /// do. In English, for the log.
  std::string why{};
};
/// "applied", "needs a restart", "refused".
std::string_view to_string(ReloadedOption::Outcome outcome);

/// What the running server is.
struct ReloadLimits {
  /// What its sandbox lets it read; nullptr: it is in none.
  const SandboxPaths* readable = nullptr;
  bool has_tls = true;
};

struct Reload {
  config::Config config;  ///< what runs from now on
  bool mistaken = false;  ///< the file could not be used: no option counts, the certificates do
  std::vector<ReloadedOption> options;
  /// To be shown from now on; nothing: those before stay.
  std::optional<std::vector<net::CertificatePem>> certificates{};
  std::optional<Error> unreadable{};  ///< why they stay
  std::string remedy{};               ///< for `unreadable`, when there is more to say than its text
};

/// Certificates are read anew, whatever differs. Blocks.
Reload plan_reload(const Instance& instance, const config::Config& running,
                   const config::Config& wanted, ReloadLimits limits);

/// What became of an option: a warning, unless it counts at once.
void log_changed(const Log& log, const ReloadedOption& changed);
/// Why no option was reloaded: each mistake in a line of its own, then what was done all the same,
/// and the remedy.
void log_mistakes(const Log& log, const Instance& instance, const config::Problems& problems,
                  const Reload& done);
/// The same for who asked for the reload.
Error mistakes_error(const Instance& instance, const Reload& done);

}  // namespace hikyaku::app
