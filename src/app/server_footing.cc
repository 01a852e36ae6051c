#include "app/server_footing.h"

#include <filesystem>
#include <fmt/format.h>

#include "app/system_user.h"

namespace hikyaku::app {
namespace {

Result<OpenFiles> plan_open_files(const config::Config& config, const Log& log) {
  TRY(auto files, OpenFiles::plan());
  if (files.connections < config.limits.connections)
    log.warn("server.files",
             {{"limit", files.limit},
              {"what", fmt::format("limits.connections is {} by that (ulimit -n, LimitNOFILE=)",
                                   files.connections)}});
  return files;
}

Result<ConfinedProcess> start_confined(const config::Config& config, const Log& log) {
  auto confine = config.server.sandbox ? Confine::Required : Confine::IfPossible;
  TRY(auto process, ConfinedProcess::start(config.server.user, confine));
  if (process.confined())
    log.info("confined.start", {{"what", process.state()}});
  else
    log.warn("confined.start", {{"err", process.state()}});
  return process;
}

/// Gives what can still be read; nothing: every file.
Result<std::optional<SandboxPaths>> give_up_rights(const Instance& instance,
                                                   const config::Config& config, const Log& log,
                                                   WhichStore which) {
  std::optional<SandboxPaths> readable;
  if (!config.server.sandbox) {
    log.warn("server.sandbox", {{"what", "off (server.sandbox)"}});
    return readable;
  }
  std::error_code error;
  if (which == WhichStore::New) std::filesystem::create_directories(instance.data, error);
  if (error)
    return std::unexpected(errno_error("cannot make " + instance.data.string(), error.value()));
  auto paths = sandbox_paths(instance, config);
  readable = resolved(paths);
  TRY(auto state, enter_sandbox(paths));
  log.info("server.sandbox", {{"what", state.describe()}});
  if (state.landlock_abi == 0) readable.reset();
  return readable;
}

}  // namespace

Result<Footing> take_footing(const Instance& instance, const config::Config& config, const Log& log,
                             WhichStore which) {
  TRY(auto files, plan_open_files(config, log));
  // Before there is anything that it should not have.
  TRY(auto confined, start_confined(config, log));
  TRY(auto listeners, bind_listeners(config));
  TRY_DO(make_public_directories(instance.control_socket.parent_path()));
  TRY(auto local, LocalSockets::bind(instance));
  TRY_DO(become_user(config.server.user));  // root was needed for the ports only
  TRY(auto readable, give_up_rights(instance, config, log, which));
  return Footing{files, std::move(confined), std::move(listeners), std::move(local),
                 std::move(readable)};
}

}  // namespace hikyaku::app
