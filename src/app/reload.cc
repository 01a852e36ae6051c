#include "app/reload.h"

#include <algorithm>
#include <fmt/core.h>
#include <ranges>

#include "app/next_steps.h"
#include "app/server_certificates.h"
#include "config/diff.h"

namespace hikyaku::app {
namespace {

using Outcome = ReloadedOption::Outcome;
constexpr std::string_view kCertificates = "tls.certificates";

/// The first file of a certificate that the sandbox does not let the server read; empty: none.
std::filesystem::path outside(const config::Config& config, const SandboxPaths* readable) {
  if (!readable) return {};
  for (auto& certificate : config.tls.certificates)
    for (auto& file : {certificate.cert, certificate.key})
      if (!lets_read(*readable, file)) return file;
  return {};
}

std::string closed_to(const std::filesystem::path& file) {
  return fmt::format("the sandbox of the running server does not let it read {}: restart it",
                     file.parent_path().string());
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::Applied:
      return "applied";
    case Outcome::AfterRestart:
      return "needs a restart";
    case Outcome::Refused:
      return "refused";
  }
  return "refused";
}

Reload plan_reload(const Instance& instance, const config::Config& running,
                   const config::Config& wanted, ReloadLimits limits) {
  Reload reload{.config = config::reloaded(running, wanted), .options = {}};
  for (auto& change : config::diff(running, wanted))
    reload.options.push_back({change.option, change.after,
                              change.option->applies == config::Applies::OnRestart
                                  ? Outcome::AfterRestart
                                  : Outcome::Applied});
  auto certificates = std::ranges::find(reload.options, kCertificates,
                                        [](auto& changed) { return changed.option->name; });
  auto stay = [&](Outcome outcome, std::string why) {
    if (certificates == reload.options.end()) return;
    certificates->outcome = outcome;
    certificates->why = std::move(why);
    reload.config.tls.certificates = running.tls.certificates;
  };
  auto unreachable = outside(wanted, limits.readable);
  if (!limits.has_tls)
    stay(Outcome::AfterRestart, "the server was started without TLS");
  else if (!unreachable.empty())
    stay(Outcome::AfterRestart, closed_to(unreachable));
  if (!limits.has_tls) return reload;
  auto read = read_certificates(instance, reload.config);
  if (read) {
    reload.certificates = std::move(*read);
    return reload;
  }
  stay(Outcome::Refused, read.error().describe());
  if (read.error().code == ErrorCode::Denied) {
    // Links may lead elsewhere than they did at the start.
    auto file = outside(reload.config, limits.readable);
    reload.remedy =
        !file.empty() ? closed_to(file) : "let the server's user (server.user) read the file";
  }
  reload.unreadable = std::move(read).error();
  return reload;
}

void log_changed(const Log& log, const ReloadedOption& changed) {
  auto told = std::string(to_string(changed.outcome));
  if (!changed.why.empty()) told += " (" + changed.why + ")";
  auto applied = changed.outcome == Outcome::Applied;
  (log.*(applied ? &Log::info : &Log::warn))(
      "config.change", {{"option", changed.option->name}, {"after", changed.after}, {"why", told}});
}

void log_mistakes(const Log& log, const Instance& instance, const config::Problems& problems,
                  const Reload& done) {
  constexpr std::size_t kMostTold = 50;
  for (auto& problem : problems.list | std::views::take(kMostTold))
    log.error("config.reload", {{"err", problem.describe(problems.file)}});
  log.error("config.reload", {{"count", problems.list.size()},
                              {"what", done.certificates && !done.unreadable
                                           ? "no option was changed (the certificates were read "
                                             "anew); mend it, then reload again"
                                           : "nothing was changed; mend it, then reload again"},
                              {"remedy", "hikyaku config check" + dir_words(instance)}});
}

Error mistakes_error(const Instance& instance, const Reload& done) {
  auto file = instance.config.string(), dir = dir_words(instance);
  auto text = done.unreadable
                  ? fmt::format(
                        "{} has mistakes, and nothing was changed: hikyaku config check{} (nor "
                        "could the certificates be read anew: {})",
                        file, dir, done.unreadable->describe())
              : done.certificates
                  ? fmt::format(
                        "{} has mistakes, and no option was changed (the certificates were read "
                        "anew): hikyaku config check{}",
                        file, dir)
                  : fmt::format("{} has mistakes, and nothing was changed: hikyaku config check{}",
                                file, dir);
  return {ErrorCode::Invalid, std::move(text), nullptr};
}

}  // namespace hikyaku::app
