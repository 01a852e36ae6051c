#include "app/instance.h"

namespace hikyaku::app {

Instance Instance::in(const std::filesystem::path& directory) {
  // Absolute: the server may change its directory, and relative paths read badly in messages.
  auto base = std::filesystem::absolute(directory).lexically_normal();
  return {base / "hikyaku.toml", base / "data",         base / "tls",        base / "dkim",
          base / "secret.key",   base / "control.sock", base / "submit.sock"};
}

Instance Instance::of_system() {
  const std::filesystem::path etc = "/etc/hikyaku";
  return {etc / "hikyaku.toml",
          "/var/lib/hikyaku/data",
          etc / "tls",
          etc / "dkim",
          etc / "secret.key",
          "/run/hikyaku/control.sock",
          "/run/hikyaku/submit.sock"};
}

Instance Instance::from(const std::optional<std::string>& dir) {
  return dir ? in(*dir) : of_system();
}

Instance Instance::with(const config::Config& settings) const {
  auto made = *this;
  if (!settings.store.path.empty()) made.data = settings.store.path;
  return made;
}

}  // namespace hikyaku::app
